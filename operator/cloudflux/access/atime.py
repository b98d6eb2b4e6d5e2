"""Reads seen by file access times: what they prove, and whether the mount records them.

An access time proves the last read and that there was none since: every day after it, back
to the file's modification, is known to be idle. Reads before the last one are not known.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cloudflux.storage.interface import ObjectInfo

MOUNTINFO = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class AtimeSupport:
    """Whether a directory's file system records reads, and a sentence about it."""

    recorded: bool
    message: str


def read_by_atime(info: ObjectInfo, now: dt.datetime) -> dt.datetime | None:
    """When the file was last read, if its access time proves a read at all.

    A file that was only written carries atime ≤ mtime: no read is proven. A time in the
    future is a wrong clock: taken as now, which errs towards hot.
    """
    if info.last_accessed is None or info.last_accessed <= info.last_modified:
        return None
    return min(info.last_accessed, now)


def atime_support(directory: Path, mountinfo: str | None = None) -> AtimeSupport:
    """Find the mount of a directory and say whether it records access times.

    relatime (the kernel's default) writes an access time at most once a day while it is newer
    than the modification: enough, since reads are kept per day.
    """
    text = MOUNTINFO.read_text(errors="surrogateescape") if mountinfo is None else mountinfo
    path = str(directory.resolve())
    best: tuple[str, set[str]] | None = None
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) < 6:
            continue
        point = _unescape(fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        # a later line of the same mount point hides the earlier one
        if inside and (best is None or len(point) >= len(best[0])):
            options = set(fields[5].split(","))
            best = point, options
    if best is None:
        return AtimeSupport(False, f"no mount is known for {path}, so reads can't be seen")
    point, options = best
    if "noatime" in options:
        return AtimeSupport(
            False,
            f"{point} is mounted noatime: reads are not recorded. Remount it with relatime"
            " to see them",
        )
    if "ro" in options:
        return AtimeSupport(
            False, f"{point} is mounted read-only: reads through it are not recorded"
        )
    how = "to the day (relatime)" if "relatime" in options else "exactly"
    return AtimeSupport(True, f"{point} records the last read of each file {how}")


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
