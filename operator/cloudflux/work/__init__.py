"""What the child processes do: move, ingest, decide."""
