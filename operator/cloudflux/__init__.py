"""CloudFlux Operator: decides where data should live, moves it there and proves it."""

__version__ = "0.1.0"
