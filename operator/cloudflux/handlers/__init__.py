"""The control process: kopf, the queue, and one reconciler for each kind."""
