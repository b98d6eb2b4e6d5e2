"""System calls that Python lacks or that need care: renames, durable writes, attributes."""

import ctypes
import errno
import io
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from cloudflux.errors import (
    ContainerNotFound,
    NotSupported,
    ObjectNotFound,
    PermissionDenied,
    PreconditionFailed,
    QuotaExceeded,
    StorageError,
    Unavailable,
)
from cloudflux.storage.keys import printable

_AT_FDCWD = -100
_NOREPLACE = 1
_EXCHANGE = 2
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})

_BY_ERRNO: dict[int, tuple[type[StorageError], str]] = {
    errno.ENOENT: (ObjectNotFound, "the file does not exist"),
    errno.ENOTDIR: (ObjectNotFound, "the file does not exist"),
    errno.EISDIR: (NotSupported, "it is a directory; a key can't be another key's directory"),
    errno.ENOTEMPTY: (NotSupported, "it is a directory; a key can't be another key's directory"),
    errno.ENAMETOOLONG: (NotSupported, "the name is too long for this file system"),
    errno.EEXIST: (PreconditionFailed, "the file exists already"),
    errno.EACCES: (PermissionDenied, "the operator's user may not do this; grant it the right"),
    errno.EPERM: (PermissionDenied, "the operator's user may not do this; grant it the right"),
    errno.EROFS: (PermissionDenied, "the file system is mounted read-only"),
    errno.ENOSPC: (QuotaExceeded, "the disk is full; free space, then move again"),
    errno.EDQUOT: (QuotaExceeded, "the disk quota is used up; raise it, then move again"),
    errno.EFBIG: (QuotaExceeded, "the file is larger than the file system allows"),
    errno.ELOOP: (PermissionDenied, "a symbolic link is in the way"),
    errno.EIO: (Unavailable, "the disk answers with an input/output error"),
    errno.ESTALE: (Unavailable, "the network file system lost the file handle"),
}


class translated:  # noqa: N801  (reads as a word where it is used)
    """Raise every OSError of the block as one of `cloudflux.errors`."""

    def __init__(self, operation: str, key: str = "") -> None:
        self._operation, self._key = operation, key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, StorageError):
            raise _translate(error, self._operation, self._key) from error


def _translate(error: OSError, operation: str, key: str) -> StorageError:
    kind, advice = _BY_ERRNO.get(error.errno or 0, (StorageError, os.strerror(error.errno or 0)))
    if kind is ObjectNotFound and not key:
        kind, advice = ContainerNotFound, "the directory does not exist; create it"
    return kind(
        f"file {operation} {printable(key) or 'location'}: {advice}",
        backend="file",
        operation=operation,
        key=key,
    )


def version_of(status: os.stat_result) -> str:
    """The version token of a file."""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def content_of(version: str) -> str:
    """The part of a version that a rename keeps (it changes ctime)."""
    return version.rpartition(":")[0]


def open_unnoticed(path: str | Path) -> BinaryIO:
    """Open a regular file for reading without touching its access time, where permitted."""
    # a pipe must not hold us up before it is seen to be one
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        # Only the owner may read unnoticed.
        descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EISDIR, "not a regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


class Reading(io.RawIOBase):
    """An open file whose errors are ours, so that they are not taken for those of a target."""

    def __init__(self, stream: BinaryIO, key: str) -> None:
        self._stream, self._key = stream, key

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read as a file does. Raises Unavailable for an input/output error."""
        with translated("read", self._key):
            return self._stream.read(size)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        super().close()


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(path: Path, *, durably: bool = True) -> None:
    """Make a directory and its parents, and wait until they are durable."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        if durably:
            sync_directory(directory.parent)


def rename_new(source: str | Path, target: str | Path) -> None:
    """Rename unless `target` exists (FileExistsError)."""
    if _renameat2(source, target, _NOREPLACE):
        return
    os.link(source, target, follow_symlinks=False)
    Path(source).unlink()


def exchange(first: Path, second: Path) -> bool:
    """Exchange two names atomically; False where the file system can't."""
    return _renameat2(first, second, _EXCHANGE)


def copy_attributes(source: Path, target: Path) -> None:
    """Carry mode, owner (where permitted), extended attributes and times of a file."""
    status = source.stat()
    with suppress(PermissionError):
        os.chown(target, status.st_uid, status.st_gid)
    target.chmod(stat.S_IMODE(status.st_mode))
    with suppress(OSError):
        for name in os.listxattr(source):
            # Names like security.* belong to the system; what it refuses stays behind.
            with suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def remove_empty_directories(start: Path, stop: Path) -> None:
    """Remove `start` and its parents below `stop` as long as they are empty."""
    with suppress(OSError):
        while start != stop and stop in start.parents:
            start.rmdir()
            start = start.parent


def _renameat2(source: str | Path, target: str | Path, flags: int) -> bool:
    if _RENAMEAT2 is None:
        return False
    names = os.fsencode(source), os.fsencode(target)
    if _RENAMEAT2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(source), None, str(target))


_RENAMEAT2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
