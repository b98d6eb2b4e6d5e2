"""What a job, or the policy of its data set, may ask of worker pods: how large and where."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from cloudflux.api.common import Model

LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=317)]
LabelValue = Annotated[str, StringConstraints(max_length=63)]
Quantity = Annotated[
    str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$", max_length=24)
]
Quantities = Annotated[
    dict[Annotated[str, StringConstraints(max_length=63)], Quantity], Field(max_length=8)
]


class WorkerResources(Model):
    """Processor time and memory of one pod."""

    requests: Quantities = Field(
        default_factory=dict, description="What a pod is promised, as in cpu: 500m, memory: 1Gi."
    )
    limits: Quantities = Field(default_factory=dict, description="What a pod may use at most.")


class TolerationOperator(StrEnum):
    """How a taint's value is compared."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class Toleration(Model):
    """A taint of nodes that pods put up with, as Kubernetes has it."""

    key: Annotated[str, StringConstraints(max_length=317)] | None = Field(
        default=None, description="The taint's key. Absent, with Exists: every taint."
    )
    operator: TolerationOperator = Field(
        default=TolerationOperator.EQUAL, description="Exists: whatever its value is."
    )
    value: LabelValue | None = Field(default=None, description="The taint's value.")
    effect: Annotated[str, StringConstraints(max_length=32)] | None = Field(
        default=None, description="NoSchedule, PreferNoSchedule or NoExecute. Absent: all."
    )


class RequirementOperator(StrEnum):
    """How a node's label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GT = "Gt"
    LT = "Lt"


class NodeRequirement(Model):
    """A condition on one label of nodes."""

    key: LabelKey = Field(description="The label.")
    operator: RequirementOperator = Field(description="In, NotIn, Exists, DoesNotExist, Gt or Lt.")
    values: Annotated[list[LabelValue], Field(max_length=32)] = Field(
        default_factory=list, description="What it is compared with."
    )


class NodeTerm(Model):
    """Conditions that a node meets all."""

    match_expressions: Annotated[list[NodeRequirement], Field(max_length=8)] = Field(
        default_factory=list, description="The conditions."
    )


class NodeSelectorTerms(Model):
    """Terms of which a node meets one."""

    node_selector_terms: Annotated[list[NodeTerm], Field(min_length=1, max_length=8)] = Field(
        description="The terms."
    )


class PreferredTerm(Model):
    """A term that is preferred."""

    weight: int = Field(ge=1, le=100, description="How much it counts.")
    preference: NodeTerm = Field(description="The term.")


class NodeAffinity(Model):
    """On which nodes pods must, and should, run."""

    required_during_scheduling_ignored_during_execution: NodeSelectorTerms | None = Field(
        default=None, description="A node must meet this."
    )
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredTerm], Field(max_length=8)
    ] = Field(default_factory=list, description="A node should meet these.")


class WorkerAffinity(Model):
    """Affinity to nodes; to other pods none can be asked, as their labels are others' business."""

    node_affinity: NodeAffinity | None = Field(default=None, description="Affinity to nodes.")


class WorkerPods(Model):
    """What worker pods are asked to be; each field only where the operator's settings allow it."""

    resources: WorkerResources | None = Field(
        default=None, description="Requests and limits of each pod. Absent: the operator's default."
    )
    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=16)] = Field(
        default_factory=dict, description="Labels of the nodes that pods run on."
    )
    tolerations: Annotated[list[Toleration], Field(max_length=16)] = Field(
        default_factory=list, description="Taints of nodes that pods put up with."
    )
    affinity: WorkerAffinity | None = Field(default=None, description="Affinity to nodes.")
    priority_class_name: Annotated[str, StringConstraints(max_length=253)] | None = Field(
        default=None, description="Priority class of pods."
    )
    annotations: Annotated[
        dict[LabelKey, Annotated[str, StringConstraints(max_length=1024)]], Field(max_length=16)
    ] = Field(default_factory=dict, description="Annotations of pods.")
