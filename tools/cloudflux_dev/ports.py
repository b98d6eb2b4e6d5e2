"""Ports for servers that are started a moment later.

The kernel gives out ports of its own range to every connection that somebody opens: one of them
may be taken again before a slow server binds it. Ports below that range are nobody's by chance.
"""

import random
import socket
from pathlib import Path

RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST, WIDTH = 10_000, 20_000
ATTEMPTS = 200


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on now."""
    sockets = [_bound() for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def free_port() -> int:
    """Return one of them."""
    return free_ports(1)[0]


def _bound() -> socket.socket:
    """A socket on a port below the kernel's range; within it where nothing else is known."""
    below = _below()
    for _ in range(ATTEMPTS if below else 0):
        taken = socket.socket()
        try:
            taken.bind(("127.0.0.1", random.choice(below)))
        except OSError:
            taken.close()
            continue
        return taken
    anywhere = socket.socket()
    anywhere.bind(("127.0.0.1", 0))
    return anywhere


def _below() -> range:
    try:
        lowest_of_kernel = int(RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):  # not Linux
        return range(0)
    return range(max(LOWEST, lowest_of_kernel - WIDTH), lowest_of_kernel)
