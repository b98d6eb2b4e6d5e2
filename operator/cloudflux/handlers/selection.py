"""Which policy speaks for which data set. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloudflux.handlers.resources import DataSet, Policy


@dataclass(frozen=True, slots=True)
class Assignment:
    """The policy of a data set: one, none, or a conflict of several (then none acts)."""

    policy: Policy | None = None
    conflict: tuple[str, ...] = ()


def selects(policy: Policy, data_set: DataSet) -> bool:
    """Whether the policy's labels select the data set; none select everything."""
    wanted = policy.spec.selector.match_labels
    return all(data_set.labels.get(name) == value for name, value in wanted.items())


def assign(policies: Iterable[Policy], data_set: DataSet) -> Assignment:
    """The policy of a data set among those of its namespace; its own policyRef wins."""
    present = [item for item in policies if item.namespace == data_set.namespace]
    reference = data_set.spec.policy_ref
    if reference is not None:
        return Assignment(next((item for item in present if item.name == reference.name), None))
    matching: Sequence[Policy] = [item for item in present if selects(item, data_set)]
    if len(matching) > 1:
        return Assignment(conflict=tuple(sorted(item.name for item in matching)))
    return Assignment(matching[0] if matching else None)


def conflict_message(data_set: str, policies: Iterable[str]) -> str:
    """What to do about a conflict."""
    *others, last = policies
    each = "both" if len(others) == 1 else "all"
    return (
        f"policies {', '.join(others)} and {last} {each} select data set {data_set}; none of them "
        "acts on it: "
        "narrow their selectors or set spec.policyRef of the data set"
    )
