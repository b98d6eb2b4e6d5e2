"""Access events out of Kafka into the access store, each counted exactly once."""
