"""The worker: what runs in a pod of a big move, with no right but to the two stores."""
