"""Reading S3 server access logs: one line in, what the store needs of it out.

The format has 26 documented fields and grows at the end; any of them may be `-`, the request
line, the referer and the user agent may contain anything, quotes too, and keys come URL-encoded,
sometimes twice. Lines that can't be understood are data, not errors: see `parse_line`.
"""

import datetime as dt
import re
from typing import NamedTuple
from urllib.parse import unquote

from cloudflux.access.formats.base import MAX_LINE_BYTES

READ_OPERATIONS = frozenset(
    {"REST.GET.OBJECT", "WEBSITE.GET.OBJECT", "REST.COPY.OBJECT_GET", "REST.SELECT.OBJECT"}
)
"""Operations that someone did to have the content."""
WRITE_OPERATIONS = frozenset(
    {"REST.PUT.OBJECT", "REST.POST.OBJECT", "REST.COPY.OBJECT", "REST.POST.UPLOAD"}
)
"""Operations that make an object."""

_HEAD = re.compile(
    # bounded where a lazy match could run away; a requester may have blanks in it
    r"(\S+) (\S+) \[([^\]]{1,40})\] (\S+) (.{1,1024}?) (\S{1,128})"
    r' ([A-Z][A-Z0-9]{0,15}\.[A-Za-z0-9_.]{1,64}) (\S+) ("|- )'
)
_NUMBERS = r'(\d{3}|-) (\S+) (\d+|-) (\d+|-) (\d+|-) (\d+|-) (?="|-)'
_AFTER_QUOTED_URI = re.compile('" ' + _NUMBERS)
_AFTER_NO_URI = re.compile(_NUMBERS)
_TIME = re.compile(r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}


class AccessRecord(NamedTuple):
    """One request. Requester and user agent serve exclusion alone and are never stored."""

    bucket: str
    time: dt.datetime
    requester: str
    request_id: str
    operation: str
    key: str | None
    status: int | None
    bytes_sent: int
    user_agent: str
    first_byte_millis: int | None = None
    """Until the first byte of the answer: the field that is named turn-around time."""

    @property
    def is_read(self) -> bool:
        """Someone got content."""
        return self.operation in READ_OPERATIONS and self.status in (200, 206) and bool(self.key)

    @property
    def is_write(self) -> bool:
        """An object was made."""
        return self.operation in WRITE_OPERATIONS and self.status == 200 and bool(self.key)


def parse_line(line: str) -> AccessRecord | None:
    """Parse one line without its end; None when it is malformed. Never raises."""
    head = _HEAD.match(line) if len(line) <= MAX_LINE_BYTES else None
    if head is None:
        return None
    _, bucket, time_text, _, requester, request_id, operation, raw_key, _ = head.groups()
    time = parse_time(time_text)
    uri_start = head.start(9)
    if head[9] == '"':
        after = _AFTER_QUOTED_URI.search(line, uri_start + 1)
    else:
        after = _AFTER_NO_URI.match(line, head.end())
    if time is None or after is None:
        return None
    uri = line[uri_start : after.start()].strip('"')
    status, _, sent, _, _, turn_around = after.groups()
    return AccessRecord(
        bucket=bucket,
        time=time,
        requester="" if requester == "-" else requester,
        request_id="" if request_id == "-" else request_id,
        operation=operation,
        key=None if raw_key == "-" else decode_key(raw_key, uri),
        status=None if status == "-" else int(status),
        bytes_sent=0 if sent == "-" else int(sent),
        user_agent=_user_agent(line[after.end() :]),
        first_byte_millis=None if turn_around == "-" else int(turn_around),
    )


def _user_agent(rest: str) -> str:
    """User agent out of `referer user-agent version-id …`; the fields after it have no quotes."""
    start = 2 if rest.startswith("- ") else rest.find('" ', 1) + 2
    end = rest.rfind('"')
    return rest[start + 1 : end] if start >= 2 and end > start else ""


def parse_time(text: str) -> dt.datetime | None:
    """`06/Feb/2019:00:00:38 +0000` as UTC; None when it is no such time."""
    found = _TIME.fullmatch(text)
    if found is None or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[n]) for n in (1, 3, 4, 5, 6))
    offset = dt.timedelta(hours=int(found[8]), minutes=int(found[9]))
    try:
        local = dt.datetime(year, _MONTHS[found[2]], day, hour, minute, second, tzinfo=dt.UTC)
        return local + offset if found[7] == "-" else local - offset
    except (ValueError, OverflowError):
        return None


def decode_key(raw: str, uri: str) -> str:
    """Return the key itself; the request line, encoded once, tells how often it is encoded."""
    once = unquote(raw)
    twice = unquote(once)
    if once == twice:
        return once
    parts = uri.split(" ")
    path = unquote(parts[1].split("?")[0]) if len(parts) >= 2 else ""
    return twice if path.endswith("/" + twice) and not path.endswith("/" + once) else once
