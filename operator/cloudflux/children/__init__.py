"""The child processes: what runs in them and what looks after them."""
