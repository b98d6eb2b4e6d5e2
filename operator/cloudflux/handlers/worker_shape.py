"""How large worker pods are and where they run: what is asked, within what is allowed. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cloudflux.api.worker_pods import WorkerPods
from cloudflux.errors import ConfigurationError
from cloudflux.settings import WorkerSettings

DEFAULT_RESOURCES: dict[str, dict[str, str | int]] = {
    "requests": {"cpu": "250m", "memory": "512Mi"},
    "limits": {"memory": "2Gi"},
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti)?")
_UNITS = {
    "m": Decimal("0.001"), "": Decimal(1), "k": Decimal(10**3), "M": Decimal(10**6),
    "G": Decimal(10**9), "T": Decimal(10**12), "Ki": Decimal(2**10), "Mi": Decimal(2**20),
    "Gi": Decimal(2**30), "Ti": Decimal(2**40),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """Of each worker pod."""

    pod: Mapping[str, Any]
    """Fields of its spec that say where it runs."""
    resources: Mapping[str, Mapping[str, Any]]
    annotations: Mapping[str, str]


def shape(asked: Sequence[WorkerPods], settings: WorkerSettings) -> Shape:
    """Lay what is asked, the policy's before the job's, over the operator's own settings.

    Raises ConfigurationError, naming the field and who can allow it: nothing that was asked
    is left out in silence.
    """
    pod = dict(settings.pod)
    default = settings.resources or DEFAULT_RESOURCES
    resources: dict[str, dict[str, Any]] = {name: dict(each) for name, each in default.items()}
    annotations: dict[str, str] = {}
    wishes: dict[str, Any] = {}
    for one in asked:
        found = one.model_dump(by_alias=True, mode="json", exclude_defaults=True)
        for part, each in (found.pop("resources", None) or {}).items():
            _check_field("resources", settings)
            _check_resources(part, each, settings)
            resources.setdefault(part, {}).update(each)
        annotations |= found.pop("annotations", {})
        wishes |= found
    for name, value in wishes.items():
        _check_field(name, settings)
        if name == "priorityClassName":
            _check_priority_class(value, settings)
        pod[name] = _joined(name, settings.pod.get(name), value)
    if annotations:
        _check_annotations(annotations, settings)
    return Shape(pod, resources, annotations | settings.annotations)


def quantity(text: str | int) -> Decimal:
    """A Kubernetes quantity in its base unit. Raises ConfigurationError."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        raise ConfigurationError(f"{text!r} is no quantity; write it as 500m, 2 or 4Gi")
    return Decimal(found[1]) * _UNITS[found[2] or ""]


def _joined(name: str, own: Any, asked: Any) -> Any:
    """What an administrator set stays; what is asked is added to it, or refused."""
    if not own or own == asked:
        return asked
    if name == "tolerations":
        return [*own, *asked]
    if name == "nodeSelector":
        differing = sorted(key for key in own.keys() & asked.keys() if own[key] != asked[key])
        if not differing:
            return {**own, **asked}
        name = f"nodeSelector.{differing[0]}"
    elif name == "priorityClassName":
        return asked  # it is one of those that are allowed
    raise ConfigurationError(
        f"pods.{name} is set for all worker pods by the operator's workers.pod and can't be "
        "changed by a job or a policy; leave it out"
    )


def _check_field(name: str, settings: WorkerSettings) -> None:
    if name not in settings.allowed_fields:
        allowed = ", ".join(sorted(settings.allowed_fields)) or "none"
        raise ConfigurationError(
            f"pods.{name} may not be set by jobs and policies here (allowed: {allowed}); an "
            "administrator can allow it with workers.allowed.fields in the chart's values"
        )


def _check_resources(part: str, asked: Mapping[str, str], settings: WorkerSettings) -> None:
    for name, amount in asked.items():
        most = settings.max_resources.get(name)
        if most is None:
            raise ConfigurationError(
                f"pods.resources.{part}.{name} may not be asked for; an administrator can allow "
                "it with workers.allowed.maxResources in the chart's values"
            )
        if quantity(amount) > quantity(most):
            raise ConfigurationError(
                f"pods.resources.{part}.{name} is {amount}, and one worker pod may have {most} "
                "at most (workers.allowed.maxResources in the chart's values)"
            )


def _check_priority_class(name: str, settings: WorkerSettings) -> None:
    if name not in settings.allowed_priority_classes:
        allowed = ", ".join(settings.allowed_priority_classes) or "none"
        raise ConfigurationError(
            f"pods.priorityClassName {name} is not allowed (allowed: {allowed}); an administrator "
            "can allow it with workers.allowed.priorityClasses in the chart's values"
        )


def _check_annotations(asked: Mapping[str, str], settings: WorkerSettings) -> None:
    for key in sorted(asked):
        if not any(_covers(one, key) for one in settings.allowed_annotations):
            raise ConfigurationError(
                f"pods.annotations {key} is not allowed: an annotation can give a pod rights, as "
                "a cloud's role. An administrator can allow it with "
                "workers.allowed.annotations in the chart's values"
            )
        if settings.annotations.get(key, asked[key]) != asked[key]:
            raise ConfigurationError(
                f"pods.annotations {key} is set for all worker pods by the operator; leave it out"
            )


def _covers(allowed: str, key: str) -> bool:
    """Whether an allowed key, or a prefix that ends in a slash, is this one."""
    return key.startswith(allowed) if allowed.endswith("/") else key == allowed
