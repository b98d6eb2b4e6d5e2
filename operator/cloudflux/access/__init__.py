"""Access signals: reading them, and the store of what they told."""
