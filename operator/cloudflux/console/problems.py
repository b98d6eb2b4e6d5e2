"""Errors as answers: problem details (RFC 9457) for programs, what to do next for people."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

TYPE_BASE = "https://cloudflux.io/problems/"


class Problem(Exception):
    """What is wrong with a request, or with what it needs; becomes the answer."""

    def __init__(
        self, status: int, kind: str, detail: str, *, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.retry_after_seconds = retry_after_seconds

    def as_json(self, instance: str) -> dict[str, Any]:
        """Return the body."""
        return {
            "type": TYPE_BASE + self.kind,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
        }

    @property
    def headers(self) -> dict[str, str]:
        """Headers that go with it."""
        found = {}
        if self.retry_after_seconds is not None:
            found["Retry-After"] = str(self.retry_after_seconds)
        if self.status == HTTPStatus.UNAUTHORIZED:
            found["WWW-Authenticate"] = 'Bearer realm="cloudflux"'
        return found


def answer(problem: Problem, instance: str) -> web.Response:
    """Return a problem as a response."""
    return web.json_response(
        problem.as_json(instance),
        status=problem.status,
        headers=problem.headers,
        content_type="application/problem+json",
    )


def not_found(what: str) -> Problem:
    """Say that there is no such thing, or none that the caller may see: the same words."""
    return Problem(404, "not-found", f"{what} does not exist, or you may not see it")


def bad_request(detail: str) -> Problem:
    """Say that the request can't be meant."""
    return Problem(400, "bad-request", detail)


def unavailable(detail: str, *, retry_after_seconds: int | None = 5) -> Problem:
    """Say what is missing and what to do about it."""
    return Problem(503, "unavailable", detail, retry_after_seconds=retry_after_seconds)
