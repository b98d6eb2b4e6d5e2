"""Moving data: the pure state machine of a job, and the mover's operations."""
