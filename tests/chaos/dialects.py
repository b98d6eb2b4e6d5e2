"""What a request to an object store asks for, and how each store words a refusal."""

import json
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

Dialect = Literal["s3", "az", "gs"]
Body = tuple[int, dict[str, str], bytes]

LIST, HEAD, READ, PLACE, BEGIN, PART, COMPLETE, ABORT, DELETE, OTHER = (
    "list", "head", "read", "place", "begin", "part", "complete", "abort", "delete", "other",
)  # fmt: skip
MARK = ".cloudflux/"

_REFUSALS: dict[str, dict[Dialect, tuple[int, str]]] = {
    "error": {
        "s3": (500, "InternalError"), "az": (500, "InternalError"), "gs": (500, "backendError"),
    },
    "unavailable": {
        "s3": (503, "ServiceUnavailable"), "az": (503, "ServerBusy"), "gs": (503, "backendError"),
    },
    "throttled": {
        "s3": (503, "SlowDown"), "az": (503, "ServerBusy"), "gs": (429, "rateLimitExceeded"),
    },
    "expired": {
        "s3": (400, "ExpiredToken"), "az": (403, "AuthenticationFailed"), "gs": (401, "authError"),
    },
    "denied": {
        "s3": (403, "AccessDenied"), "az": (403, "AuthorizationPermissionMismatch"),
        "gs": (403, "forbidden"),
    },
    "full": {"s3": (507, "XMinioStorageFull"), "gs": (403, "quotaExceeded")},
    "skewed": {"s3": (403, "RequestTimeTooSkewed"), "az": (403, "AuthenticationFailed")},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the rules see it."""

    operation: str
    key: str
    """Within the bucket; "" for requests about the bucket."""

    @property
    def marks(self) -> bool:
        return MARK in self.key


def classify(dialect: Dialect, method: str, target: str, body: bytes, span: str = "") -> Asked:
    """`span` is the header Content-Range, of which a session's requests are told apart."""
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    if dialect == "s3":
        return _of_s3(method, parts.path, query)
    if dialect == "az":
        return _of_azure(method, parts.path, query)
    return _of_google(method, parts.path, query, body, span)


def refusal(dialect: Dialect, fault: str) -> Body:
    """Status, headers and body by which the store refuses. Raises KeyError where it never does."""
    status, code = _REFUSALS[fault][dialect]
    if dialect == "gs":
        told = {"reason": code, "message": "injected", "domain": "global"}
        answer = {"error": {"code": status, "message": "injected", "errors": [told]}}
        return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()
    headers = {"Content-Type": "application/xml"}
    if dialect == "az":
        headers["x-ms-error-code"] = code
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>"
    return status, headers, text.encode()


def refuses(dialect: Dialect, fault: str) -> bool:
    """Whether such a store has a word for it."""
    return fault not in _REFUSALS or dialect in _REFUSALS[fault]


def _of_s3(method: str, path: str, query: dict[str, list[str]]) -> Asked:
    _, _, key = path.lstrip("/").partition("/")
    key = unquote(key)
    if not key:
        return Asked(LIST if "list-type" in query else OTHER, "")
    if "uploadId" in query:
        by_method = {"PUT": PART, "POST": COMPLETE, "DELETE": ABORT}
        return Asked(by_method.get(method, OTHER), key)
    if "uploads" in query:
        return Asked(BEGIN, key)
    if "tagging" in query:
        return Asked(HEAD, key)
    return Asked(_PLAIN.get(method, OTHER), key)


_PLAIN = {"GET": READ, "HEAD": HEAD, "PUT": PLACE, "DELETE": DELETE}


def _of_azure(method: str, path: str, query: dict[str, list[str]]) -> Asked:
    _, _, key = path.lstrip("/").partition("/")[2].partition("/")
    key, asked = unquote(key), query.get("comp", [""])[0]
    if not key:
        return Asked(LIST if asked == "list" else OTHER, "")
    by_word = {"block": PART, "blocklist": COMPLETE, "tags": HEAD}
    if asked:
        return Asked(by_word.get(asked, OTHER), key)
    return Asked(_PLAIN.get(method, OTHER), key)


def _of_google(
    method: str, path: str, query: dict[str, list[str]], body: bytes, span: str
) -> Asked:
    name = unquote(path.rpartition("/o/")[2]) if "/o/" in path else ""
    if "/upload/" in path or path.startswith("/session/") or "upload_id" in query:
        name = query.get("name", [""])[0]
        if method == "DELETE":
            return Asked(ABORT, name)
        if method == "PUT":
            return Asked(_of_session(span), name)
        if query.get("uploadType") == ["resumable"]:
            return Asked(BEGIN, name or _named(body))
        return Asked(PLACE, _named(body))
    if path.endswith("/o"):
        return Asked(LIST, "")
    if path.startswith("/download/") or query.get("alt") == ["media"]:
        return Asked(READ, name)
    return Asked({"GET": HEAD, "DELETE": DELETE}.get(method, OTHER), name)


def _of_session(span: str) -> str:
    """A chunk, the last chunk, or only the question how far it is."""
    covered, _, total = span.removeprefix("bytes ").partition("/")
    if covered == "*":
        return OTHER
    return COMPLETE if covered.rpartition("-")[2] == str(int(total or 0) - 1) else PART


def _named(body: bytes) -> str:
    found = re.search(rb'"name":\s*("(?:[^"\\]|\\.)*")', body[:8192])
    return str(json.loads(found.group(1))) if found else ""
