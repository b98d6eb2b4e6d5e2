"""The rules of the three resources that a type alone can't say, in CEL, for the API server.

Each stands at a path of its kind's schema (`[]` steps into a list). A rule that names
`oldSelf` bounds what an edit may change. A test sends the API server one object for each
rule and asserts that it is refused with the rule's message.
"""

from dataclasses import dataclass

from cloudflux.api.dataset import LOG_SCHEMES, REPORT_SCHEMES
from cloudflux.api.migrationjob import Execution


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL rule and what the API server says when it is broken."""

    rule: str
    message: str


def _unchanged(field: str) -> Rule:
    """Forbid that a field is added, removed or changed.

    Each look at a field costs the API server, at every write of a status, too: so as few as
    can be. One that is required or has a default is always there.
    """
    same = f"self.{field} == oldSelf.{field}"
    if field not in ALWAYS_THERE:
        same = f"has(self.{field}) ? has(oldSelf.{field}) && {same} : !has(oldSelf.{field})"
    return Rule(same, f"{field} can't be changed; make a new MigrationJob")


_FITS_LABEL = Rule(
    "size(self.metadata.name) <= 63",
    "the name must have at most 63 characters, so that it fits in a label",
)

_LOCATION = (
    Rule(
        "['s3://', 'az://', 'gs://', 'file://'].exists(start, self.uri.startsWith(start))",
        "uri must start with s3://, az://, gs:// or file://",
    ),
    Rule(
        "!self.uri.startsWith('s3://') || "
        "self.uri.matches('^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$')",
        "uri must name a bucket, as in s3://bucket/prefix",
    ),
    Rule(
        "!self.uri.startsWith('az://') || self.uri.matches("
        "'^az://([$](root|web|logs)|[a-z0-9](-?[a-z0-9]){2,62})(/.*)?$')",
        "uri must name a container, as in az://container/prefix",
    ),
    Rule(
        "!self.uri.startsWith('gs://') || "
        "self.uri.matches('^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/.*)?$')",
        "uri must name a bucket, as in gs://bucket/prefix",
    ),
    Rule(
        "!self.uri.startsWith('file://') || self.uri.startsWith('file:///')",
        "uri must be an absolute path, as in file:///directory",
    ),
    Rule(
        "!self.uri.startsWith('file://') || !self.uri.split('/').exists(part, part == '..')",
        "uri must not contain '..'",
    ),
    Rule(
        "!has(self.endpoint) || self.endpoint.matches('^https?://[^/@]+/?$') || "
        "(self.uri.startsWith('az://') && "
        "self.endpoint.matches('^https?://[^/@]+/[a-z0-9]{3,24}/?$'))",
        "endpoint must be https://host:port or http://host:port, without path or credentials; "
        "for az:// the account may follow, as emulators have it",
    ),
    Rule(
        "!self.uri.startsWith('az://') || has(self.endpoint)",
        "az:// needs endpoint, which names the account: https://ACCOUNT.blob.core.windows.net",
    ),
    Rule(
        "!has(self.endpoint) || !self.uri.startsWith('file://')",
        "endpoint is for s3://, az:// and gs:// only",
    ),
    Rule(
        "!has(self.volumeClaim) || self.uri.startsWith('file:///')",
        "volumeClaim is for file:// only",
    ),
    Rule(
        "!has(self.volumeClaim) || "
        "!self.volumeClaim.mountPath.split('/').exists(part, part == '..')",
        "volumeClaim.mountPath must not contain '..'",
    ),
)

_DATA_SET: dict[str, tuple[Rule, ...]] = {
    "": (_FITS_LABEL,),
    "spec": (
        Rule(
            "self.location.uri == oldSelf.location.uri",
            "location.uri can't be changed; move the data with a MigrationJob, "
            "or make a new DataSet",
        ),
        Rule(
            "!has(self.access) || !has(self.access.sources) || "
            "self.location.uri.startsWith('file://') || "
            "!self.access.sources.exists(source, source.type == 'FileAtime')",
            "FileAtime is for file:// locations only",
        ),
        *(
            Rule(
                "!has(self.access) || !has(self.access.sources) || "
                f"self.location.uri.startsWith('{scheme}://') || "
                f"!self.access.sources.exists(source, source.type == '{kind}')",
                f"{kind} is for {scheme}:// locations only",
            )
            for kind, scheme in LOG_SCHEMES.items()
        ),
        *(
            Rule(
                "!has(self.inventory) || !has(self.inventory.source) || "
                f"self.inventory.source != '{kind}' || "
                f"self.location.uri.startsWith('{scheme}://')",
                f"{kind} is for {scheme}:// locations only",
            )
            for kind, scheme in REPORT_SCHEMES.items()
        ),
    ),
    "spec.location": _LOCATION,
    "spec.access.sources[]": (
        *(
            Rule(
                f"self.type != '{kind}' || has(self.logs)",
                f"{kind} needs logs: the location where the access logs are delivered",
            )
            for kind in LOG_SCHEMES
        ),
        Rule("self.type != 'FileAtime' || !has(self.logs)", "FileAtime takes no logs"),
        Rule("self.type != 'Kafka' || !has(self.logs)", "Kafka takes no logs"),
    ),
    "spec.access.sources[].logs": _LOCATION,
    "spec.inventory": (
        Rule(
            "(has(self.source) && self.source != 'Listing') == has(self.reports)",
            "reports is needed for all sources but Listing, which takes none",
        ),
    ),
    "spec.inventory.reports": _LOCATION,
}

_TIERING_POLICY: dict[str, tuple[Rule, ...]] = {
    "": (_FITS_LABEL,),
    "spec.tiers[]": (
        Rule(
            "has(self.s3StorageClass) || has(self.azureTier) || has(self.gcsStorageClass) || "
            "has(self.fileRoot)",
            "a tier needs s3StorageClass, azureTier, gcsStorageClass, fileRoot or several of them",
        ),
        Rule(
            "!has(self.fileRoot) || self.fileRoot.startsWith('file:///')",
            "fileRoot must be an absolute path, as in file:///directory",
        ),
        Rule(
            "!has(self.fileRoot) || !self.fileRoot.split('/').exists(part, part == '..')",
            "fileRoot must not contain '..'",
        ),
    ),
    "spec.schedule": (
        Rule(
            "self.cron.split(' ').size() == 5",
            "cron must have five fields: minute, hour, day, month and day of the week",
        ),
    ),
}

_IMMUTABLE_JOB_FIELDS = (
    "dataSetRef", "policyRef", "target", "selection", "verify", "sourceRetention",
    "retry", "restore", "activeDeadlineSeconds", "progressDeadlineSeconds", "budget",
    "ttlSecondsAfterFinished", "requireApproval",
)  # fmt: skip

LIVE_EXECUTION_FIELDS = ("bandwidth_bytes_per_second",)
"""Fields of spec.execution that may be changed while the job runs."""


def _execution_unchanged() -> tuple[Rule, ...]:
    """Forbid changes of execution but for its live fields; absent is the same as the default."""
    found = []
    for name, field in Execution.model_fields.items():
        if name in LIVE_EXECUTION_FIELDS:
            continue
        alias, default = field.alias or name, field.default
        new, old = f"self.execution.{alias}", f"oldSelf.execution.{alias}"
        if isinstance(default, int | str):  # the API server fills it in where execution is there
            usual = f"'{default}'" if isinstance(default, str) else str(default)
            now = f"(has(self.execution) ? {new} : {usual})"
            before = f"(has(oldSelf.execution) ? {old} : {usual})"
            rule = f"{now} == {before}"
        else:
            now = f"(has(self.execution) && has({new}))"
            before = f"(has(oldSelf.execution) && has({old}))"
            rule = f"{now} ? {before} && {new} == {old} : !{before}"
        found.append(Rule(rule, f"execution.{alias} can't be changed; make a new MigrationJob"))
    return tuple(found)


ALWAYS_THERE = (
    "dataSetRef", "target", "verify", "progressDeadlineSeconds", "requireApproval",
)  # fmt: skip
"""Of these: required, or with a default."""

_MIGRATION_JOB: dict[str, tuple[Rule, ...]] = {
    "spec": (
        *(_unchanged(field) for field in _IMMUTABLE_JOB_FIELDS),
        *_execution_unchanged(),
        Rule(
            "!has(oldSelf.cancel) || !oldSelf.cancel || (has(self.cancel) && self.cancel)",
            "cancel can't be taken back; make a new MigrationJob",
        ),
        Rule(
            "!has(self.selection) || !has(self.target.location)",
            "selection is for in-place moves (tier or storageClass) only: "
            "a move to another location takes the whole data set",
        ),
    ),
    "spec.target": (
        Rule(
            "(has(self.tier) ? 1 : 0) + (has(self.storageClass) ? 1 : 0) "
            "+ (has(self.location) ? 1 : 0) == 1",
            "give exactly one of tier, storageClass and location",
        ),
    ),
    "spec.target.location": _LOCATION,
    "spec.retry": (
        Rule(
            "self.maxBackoffSeconds >= self.initialBackoffSeconds",
            "maxBackoffSeconds must not be less than initialBackoffSeconds",
        ),
    ),
}

RULES: dict[str, dict[str, tuple[Rule, ...]]] = {
    "DataSet": _DATA_SET,
    "TieringPolicy": _TIERING_POLICY,
    "MigrationJob": _MIGRATION_JOB,
}
"""Rules by kind and path."""
