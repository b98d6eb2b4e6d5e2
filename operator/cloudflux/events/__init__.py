"""Saying what happens: Kubernetes events and the local event log."""
