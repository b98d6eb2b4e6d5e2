"""Where data lives: one contract, one module for each provider."""
