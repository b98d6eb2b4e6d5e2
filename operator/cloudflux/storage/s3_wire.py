"""Requests to an S3 endpoint: addressed, signed, repeated by the Retrier, their errors ours."""

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.etree import ElementTree

from cloudflux.children.sent import SENT
from cloudflux.errors import CredentialsInvalid, NotSupported, StorageError
from cloudflux.storage.http_client import Pool, Response, TransportError
from cloudflux.storage.limits import SHARED
from cloudflux.storage.retry import Retrier, retry_after_seconds
from cloudflux.storage.s3_errors import error_of, transport_error
from cloudflux.storage.s3_sign import (
    EMPTY_SHA256,
    UNSIGNED,
    Keys,
    Signer,
    quote_path,
    quote_query,
)

ERROR_BYTES = 64 << 10
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
_AMAZON = re.compile(r"\.amazonaws\.com(\.cn)?$")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def xml(self) -> dict[str, str]:
        """The elements below the root that hold only text, by local name."""
        return {local_name(child): child.text or "" for child in parse_xml(self.body)}


_UNKNOWN_HEADER = frozenset({"NotImplemented", ""})
"""What servers without S3's newer checksums say to their headers; to a HEAD, nothing."""


class Wire:
    """One endpoint and identity; thread-safe."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        keys: Callable[[], Keys],
        *,
        user_agent: str,
        ca_file: str | None = None,
        retrier: Retrier | None = None,
        public_only: bool = False,
    ) -> None:
        """`keys` is asked for every request, so that rotated ones count at once."""
        self.endpoint, self.region = endpoint, region
        parts = urlsplit(endpoint)
        self._scheme, self._host = parts.scheme, parts.netloc
        self._base = parts.path.rstrip("/")
        self.is_amazon = self._virtual = _AMAZON.search(parts.hostname or "") is not None
        self.holds_conditions: dict[str, bool] = {}
        """By bucket: whether conditions of writes count, as far as that was measured."""
        self._keys, self._user_agent, self._ca_file = keys, user_agent, ca_file
        self._public_only = public_only
        self._knows_checksums = True
        self._retrier = retrier or Retrier(pace=SHARED.requests_to(endpoint))
        self._pools: dict[str, Pool] = {}
        self._signers: dict[str, Signer] = {}
        self._regions: dict[str, str] = {}
        self._lock = threading.Lock()

    def call(
        self,
        operation: str,
        method: str,
        bucket: str,
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | memoryview = b"",
        sha256: str | None = None,
        repeat: bool = True,
    ) -> Answer:
        """Ask, and read the whole answer. Raises errors of `cloudflux.errors`."""
        response = self.stream(
            operation, method, bucket, key, query=query, headers=headers, body=body,
            sha256=sha256, repeat=repeat,
        )  # fmt: skip
        try:
            return Answer(response.status, response.headers, response.read())
        except TransportError as error:
            raise transport_error(error, operation, key, bucket) from error

    def stream(
        self,
        operation: str,
        method: str,
        bucket: str,
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | memoryview = b"",
        sha256: str | None = None,
        repeat: bool = True,
    ) -> Response:
        """Ask, and return the answer with its body unread.

        `sha256` of the body, as hex, is signed; without one the body is not signed: then a
        checksum among the headers must protect it.
        """
        payload = sha256 or (UNSIGNED if len(body) else EMPTY_SHA256)
        sent = self._spoken(headers or {})

        def once() -> Response:
            where = (method, bucket, key, query or {}, sent, body, payload)
            try:
                response = self._send(*where)
                if response.status >= 300 and self._learn_region(bucket, response):
                    _code_of(response)
                    response = self._send(*where)
            except TransportError as error:
                raise transport_error(error, operation, key, bucket) from error
            if response.status < 300:
                return response
            wished = retry_after_seconds(response.headers.get("retry-after"))
            try:
                code = _code_of(response)
            except TransportError as error:
                raise transport_error(error, operation, key, bucket) from error
            refused = error_of(code, response.status, operation, key, bucket)
            refused.retry_after_seconds = wished
            raise refused

        def counted() -> Response:
            with SENT.counted("s3", operation):
                return once()

        def ask() -> Response:
            if repeat:
                return self._retrier.run(counted)
            self._retrier.hold()
            return counted()

        try:
            return ask()
        except NotSupported as error:
            if error.code not in _UNKNOWN_HEADER or not any(map(_is_of_checksums, sent)):
                raise
        sent = _without_checksums(sent)
        response = ask()
        self._knows_checksums = False
        return response

    def _spoken(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Headers in the dialect of the server, which may be older than S3's checksums."""
        return headers if self._knows_checksums else _without_checksums(headers)

    def close(self) -> None:
        """Drop kept connections."""
        for pool in list(self._pools.values()):
            pool.close()

    def _send(
        self,
        method: str,
        bucket: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | memoryview,
        payload: str,
    ) -> Response:
        region = self._regions.get(bucket, self.region)
        host, path = self._address(bucket, key, region)
        sent = {"host": host, **headers, "user-agent": self._user_agent}
        asked = quote_query(query) if query else ""
        self._signer(region).sign(self._keys(), method, path, asked, sent, payload)
        target = f"{path}?{asked}" if asked else path
        return self._pool(host).request(method, target, sent, body)

    def _address(self, bucket: str, key: str, region: str) -> tuple[str, str]:
        path = quote_path(key)
        if not self._virtual or "." in bucket:
            return self._host, f"{self._base}/{bucket}/{path}" if path else f"{self._base}/{bucket}"
        host = self._host if region == self.region else self._host.replace(self.region, region)
        return f"{bucket}.{host}", f"/{path}"

    def _signer(self, region: str) -> Signer:
        signer = self._signers.get(region)
        if signer is None:
            signer = self._signers.setdefault(region, Signer(region))
        return signer

    def _pool(self, host: str) -> Pool:
        pool = self._pools.get(host)
        if pool is None:
            with self._lock:
                pool = self._pools.get(host)
                if pool is None:
                    pool = Pool(
                        f"{self._scheme}://{host}",
                        ca_file=self._ca_file,
                        public_only=self._public_only,
                    )
                    self._pools[host] = pool
        return pool

    def _learn_region(self, bucket: str, response: Response) -> bool:
        """Whether the answer says that the bucket is elsewhere, which is then remembered."""
        told = response.headers.get("x-amz-bucket-region")
        if response.status not in (301, 307, 400) or not told:
            return False
        if told == self._regions.get(bucket, self.region):
            return False
        self._regions[bucket] = told
        return True


BAD_REQUEST = 400
"""Stands for anything from a wrong checksum to a clock that is wrong."""


def _is_of_checksums(header: str) -> bool:
    return header.startswith(("x-amz-checksum-", "x-amz-sdk-checksum-"))


def _without_checksums(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not _is_of_checksums(name)}


def payload_sha256(body: bytes | memoryview) -> str:
    """The digest that is signed in place of the body."""
    return hashlib.sha256(body).hexdigest()


def no_keys() -> Keys:
    """Raise: nothing names an identity."""
    raise CredentialsInvalid(
        "S3: no credentials are found for the operator's own identity; "
        "set credentialsSecretRef or give the operator a role",
        backend="s3",
    )


def parse_xml(body: bytes) -> ElementTree.Element:
    """An answer's document. Raises StorageError when it is none."""
    try:
        # expat refuses entities that grow without bound, and resolves no external ones
        return ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        raise StorageError("S3: the answer is no XML; is the endpoint an S3 server?") from None


def local_name(element: ElementTree.Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _code_of(response: Response) -> str:
    """The server's word for it. Raises TransportError where only that word would tell."""
    try:
        body = response.read(ERROR_BYTES)
    except TransportError:
        if response.status == BAD_REQUEST:
            raise
        return ""
    response.close()
    found = _CODE.search(body)
    return found.group(1).decode("ascii") if found else ""
