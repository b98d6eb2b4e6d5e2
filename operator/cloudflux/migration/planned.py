"""The frozen plan as the mover reads it; light, because copying needs no prices."""

from collections.abc import Iterator
from dataclasses import dataclass

from cloudflux.errors import PlanChanged
from cloudflux.migration.files import JSON, file_digest, read_json, read_lines
from cloudflux.migration.session import Session
from cloudflux.storage.keys import decode_key


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """One object of the plan, as it was listed."""

    key: str
    size_bytes: int
    version: str
    storage_class: str


def load_plan(session: Session) -> JSON:
    """Return plan.json. Raises PlanChanged when it or its list is not what was planned."""
    plan = read_json(session.files.plan)
    listed = session.files.plan_list
    if plan is None or not listed.exists() or file_digest(listed) != plan["list_digest"]:
        raise PlanChanged("the plan's list of objects is gone or was changed; a new plan is made")
    return plan


def planned_objects(session: Session) -> Iterator[PlannedObject]:
    """Yield the plan's list."""
    for row in read_lines(session.files.plan_list):
        yield PlannedObject(decode_key(row["key"]), row["size"], row["version"], row["class"])
