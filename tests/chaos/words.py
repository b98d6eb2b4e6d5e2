"""What a job has to say when a fault ended it: the cause, and what to do."""

import re

from cloudflux.api.migrationjob import MigrationJobStatus

UNREACHABLE = r"does not answer .*check endpoint"
KILLED = r"child mover ended"
DAMAGED = (
    r"damaged at the source .*restore it|differs?\b|not those that its server|"
    r"damaged on their way|not the bytes|checksum|bytes have|is not to be trusted|are not those"
)
FORGOTTEN = r"forgot the upload; .*look at the server's health"
BY_FAULT: dict[str, str] = {
    "reset": UNREACHABLE,
    "lost": UNREACHABLE,
    "half answer": UNREACHABLE,
    "half request": UNREACHABLE,
    "wire reset": UNREACHABLE,
    "wire cut": UNREACHABLE,
    "unavailable": r"answered with an error.*look at its health|asks to slow down.*lower",
    "throttled": r"asks to slow down.*lower",
    "expired": r"(expired|no token can be had|region wrong)[;:] correct the Secret",
    "skewed": r"clock",
    "kill": KILLED,
    "kill before": KILLED,
    "kill after": KILLED,
    "flip": DAMAGED,
    "flip answer": DAMAGED,
    "flip request": DAMAGED,
    "stale": r"lost the file handle",
    "half": r"[Ii]nput/output error",
    "full disk": r"full.*free space",
}
BY_STORE: dict[tuple[str, bool], str] = {
    ("error", False): r"answered with an error.*look at",
    ("error", True): r"[Ii]nput/output error",
    ("denied", False): r"access denied; allow ",
    ("denied", True): r"grant it the right",
    ("full", False): r"(full|used up).*(free space|raise)",
    ("full", True): r"full.*free space",
}
"""By fault, and whether it is a directory's."""


def expected(fault: str, *, directory: bool) -> str:
    return BY_FAULT.get(fault) or BY_STORE[fault, directory]


def told_rightly(status: MigrationJobStatus, patterns: list[str]) -> bool:
    """Whether the job's message names one of the causes, and promises nothing that is over."""
    text = status.message or ""
    if "it is tried again" in text:
        return False
    return any(re.search(pattern, text, re.DOTALL) for pattern in patterns)
