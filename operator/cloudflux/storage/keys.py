"""Keys: how they are written down, and which of them a store can't hold.

A stored identity is bytes, percent-encoded. Python carries bytes that are not UTF-8 as
surrogates (surrogateescape), so one `str` stands for one sequence of bytes.
"""

from collections.abc import Iterable, Iterator
from urllib.parse import quote_from_bytes, unquote_to_bytes

from cloudflux.storage.interface import CONTROL_PREFIX, Capabilities


def key_bytes(key: str) -> bytes:
    """The bytes of a key."""
    return key.encode("utf-8", "surrogateescape")


def key_from_bytes(found: bytes) -> str:
    """Undo `key_bytes`."""
    return found.decode("utf-8", "surrogateescape")


def encode_key(key: str) -> str:
    """Write a key as printable ASCII; injective, and `/` stays readable."""
    return quote_from_bytes(key_bytes(key), safe="/")


def decode_key(encoded: str) -> str:
    """Undo `encode_key`."""
    return key_from_bytes(unquote_to_bytes(encoded))


def printable(key: str) -> str:
    """A key for a message to people: as it is when it is plain text, else percent-encoded."""
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        return encode_key(key)
    return key if key.isprintable() else encode_key(key)


def problems(
    keys: Iterable[str], target: Capabilities, *, prefix: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield (key, why) for each key that `target` can't hold below `prefix`, in one pass.

    For hierarchical targets a key that is also another key's directory must be found: in the
    order of their bytes, in which stores list, all keys below one follow it before any that does
    not begin with it. So memory grows with the number of distinct directories only.
    """
    above: list[str] = []
    directories: set[str] = set()
    prefix_bytes = len(key_bytes(prefix))
    for key in keys:
        why = _problem(key, target, prefix_bytes) or _spelling(prefix + key, target)
        if why is None and target.hierarchical:
            why = _collision(key, above, directories)
        if why is not None:
            yield key, why


def _problem(key: str, target: Capabilities, prefix_bytes: int) -> str | None:
    if key == "":
        return "is empty"
    if key.startswith(CONTROL_PREFIX):
        return f"begins with {CONTROL_PREFIX}, which CloudFlux keeps for itself"
    if len(key_bytes(key)) + prefix_bytes > target.max_key_bytes:
        return f"is longer than {target.max_key_bytes} bytes at the target"
    segments = key.split("/")
    if ".." in segments or "." in segments:
        return "has a segment . or .., which is no safe path"
    return (
        _hierarchical_problem(key, segments, target) if target.hierarchical else _flat_problem(key)
    )


def _spelling(name: str, target: Capabilities) -> str | None:
    """What is wrong with the characters of a whole name, as the provider has it."""
    for character in target.forbidden_in_keys:
        if character in name:
            shown = character if character.isprintable() else f"U+{ord(character):04X}"
            return f"contains {shown}, which {target.scheme}:// can't keep"
    for end in target.forbidden_segment_end:
        if any(segment.endswith(end) for segment in name.split("/")):
            return f"has a segment that ends with {end}, which {target.scheme}:// can't keep"
    if target.reserved_key_start and name.startswith(target.reserved_key_start):
        return f"begins with {target.reserved_key_start}, which {target.scheme}:// reserves"
    return None


def _flat_problem(key: str) -> str | None:
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        return "is not UTF-8"
    return "contains NUL" if "\0" in key else None


def _hierarchical_problem(key: str, segments: list[str], target: Capabilities) -> str | None:
    if "\0" in key:
        return "contains NUL"
    if "" in segments:
        return "has an empty segment (a leading, trailing or doubled slash)"
    if any(segment.startswith(".cloudflux-") for segment in segments):
        return "has a segment that begins with .cloudflux-, which CloudFlux keeps for itself"
    limit = target.max_segment_bytes
    if limit is not None and any(len(key_bytes(segment)) > limit for segment in segments):
        return f"has a segment longer than {limit} bytes"
    return None


def _collision(key: str, above: list[str], directories: set[str]) -> str | None:
    """Say with what a key collides; `above` are the keys before it that it may begin with."""
    if key in directories:
        return "is also the directory of another key"
    while above and not key.startswith(above[-1]):
        above.pop()
    for file in above:
        if key.startswith("/", len(file)):
            return f"lies below {printable(file)}, which is itself a key"
    cut = key.rfind("/")
    while cut > 0 and key[:cut] not in directories:
        directories.add(key[:cut])
        cut = key.rfind("/", 0, cut)
    above.append(key)
    return None
