"""Tools for working on CloudFlux: the test control plane, the demo and its parts."""
