"""Reading a blob: ranges of a few MiB, each only of the version that was opened."""

import io
from typing import Any

from cloudflux.storage.azure_errors import Requests


class BlobStream(io.RawIOBase):
    """A blob's content whose errors are ours."""

    def __init__(self, opened: Any, requests: Requests, key: str) -> None:
        """`opened` is a StorageStreamDownloader, which asks for later ranges by its first ETag."""
        self._opened, self._requests, self._key = opened, requests, key

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read on. Raises Unavailable when the connection breaks for good."""
        if size == 0:
            return b""
        with self._requests.translated("Get Blob", self._key):
            return bytes(self._opened.read(size))
