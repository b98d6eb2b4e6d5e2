"""Which events somebody wants to see; the same words in the page's address and in the API."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from cloudflux.console.shown import Shown

FIELDS = ("type", "namespace", "dataset", "provider", "severity", "q")
MAX_VALUES = 32
MAX_LENGTH = 256


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Empty: everything. Values of one field are alternatives; fields must all agree."""

    types: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    data_sets: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    text: str = ""

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return self != _ALL

    def matches(self, shown: Shown) -> bool:
        """Whether the event is wanted. A type ending in a dot or none stands for its family."""
        return (
            (not self.types or _of_types(shown.type, self.types))
            and (not self.namespaces or shown.namespace in self.namespaces)
            and (not self.data_sets or shown.data_set in self.data_sets)
            and (not self.providers or shown.provider in self.providers)
            and (not self.severities or shown.severity in self.severities)
            and (not self.text or self.text in shown.text)
        )

    def query(self) -> str:
        """Return it as the query of an address."""
        pairs = [
            *(("type", value) for value in sorted(self.types)),
            *(("namespace", value) for value in sorted(self.namespaces)),
            *(("dataset", value) for value in sorted(self.data_sets)),
            *(("provider", value) for value in sorted(self.providers)),
            *(("severity", value) for value in sorted(self.severities)),
            *([("q", self.text)] if self.text else []),
        ]
        return urlencode(pairs)


_ALL = EventFilter()


def parse_filter(given: Mapping[str, Iterable[str]]) -> EventFilter:
    """Read a filter from the values by field. Raises ValueError with what is wrong."""
    values = {name: _values(name, given.get(name, ())) for name in FIELDS}
    if len(values["q"]) > 1:
        raise ValueError("q may be given once")
    return EventFilter(
        types=values["type"],
        namespaces=values["namespace"],
        data_sets=values["dataset"],
        providers=values["provider"],
        severities=values["severity"],
        text=next(iter(values["q"]), "").lower(),
    )


def _values(name: str, given: Iterable[str]) -> frozenset[str]:
    found = frozenset(value.strip() for value in given if value.strip())
    if len(found) > MAX_VALUES:
        raise ValueError(f"{name} has {len(found)} values; at most {MAX_VALUES} are taken")
    if any(len(value) > MAX_LENGTH for value in found):
        raise ValueError(f"a value of {name} is longer than {MAX_LENGTH} characters")
    return found


def _of_types(kind: str, wanted: frozenset[str]) -> bool:
    return kind in wanted or kind.partition(".")[0] in wanted
