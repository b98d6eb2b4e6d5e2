"""What the three resources share: the base model, references and conditions."""

import datetime as dt
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

GROUP = "cloudflux.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

Money = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,9})?$", max_length=26)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
Uri = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*://.*$", min_length=5, max_length=2048)
]
Text = Annotated[str, StringConstraints(max_length=1024)]


CONDITIONS_BY_TYPE: JsonDict = {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
}
"""How the API server merges a list of conditions."""


class Model(BaseModel):
    """Base of every API type: camelCase outside, frozen inside, unknown fields refused."""

    model_config = ConfigDict(
        defer_build=True,
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
    )


class StatusModel(Model):
    """Base of status types: fields written by a newer operator are kept out of the way."""

    model_config = ConfigDict(extra="ignore")


class StatusPart(StatusModel):
    """Base of a part of a status that is always written as a whole.

    Its fields then have one owner together, which halves what the API server keeps, computes
    and sends of the owners of fields at each write.
    """

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})


class ConditionStatus(StrEnum):
    """The three values a condition can have."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(StatusModel):
    """One standard condition (metav1.Condition); a list-map keyed by type."""

    type: Annotated[str, StringConstraints(max_length=316)] = Field(
        description=(
            "Type of the condition; the list is in docs/reference/conditions-and- reasons.md."
        )
    )
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = Field(
        description="Why, in one word that programs can rely on."
    )
    message: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="", description="What happened and what to do next, for people."
    )
    observed_generation: int = Field(
        default=0, description="metadata.generation of the spec that this condition is about."
    )
    last_transition_time: dt.datetime = Field(
        description="When status last changed from one value to another."
    )


class ReportedStatus(StatusModel):
    """Base of a whole status: which spec it is about."""

    observed_generation: int = Field(
        default=0, ge=0, description="metadata.generation of the spec that this status is about."
    )


class PricedStatus(ReportedStatus):
    """Base of a status that holds amounts."""

    currency: str | None = Field(
        default=None,
        max_length=3,
        description="Currency of every amount in this status, such as USD.",
    )


class SecretRef(Model):
    """A Secret in the same namespace, labelled cloudflux.io/credentials."""

    name: Name = Field(description="Name of the Secret.")


class LocalRef(Model):
    """A resource in the same namespace, by name."""

    name: Name = Field(description="Name of the resource.")


PROVIDER_OF_SCHEME = {"s3": "s3", "az": "azure", "gs": "gcs", "file": "file"}
"""The provider, as price lists and policies name it, of each scheme that a uri can have."""


class Tier(StrEnum):
    """The three tiers, hottest first."""

    HOT = "Hot"
    WARM = "Warm"
    COLD = "Cold"


class EncryptionType(StrEnum):
    """Who encrypts, and with which key."""

    PROVIDER = "Provider"
    KMS = "Kms"
    SCOPE = "Scope"
    CUSTOMER = "Customer"
    CLIENT = "Client"


class Encryption(Model):
    """How objects that are written to a location are encrypted."""

    type: EncryptionType = Field(
        description=(
            "Provider: by the store with its own key (SSE-S3). Kms: with a key of AWS KMS or "
            "Google Cloud KMS. Scope: an encryption scope of Azure. Customer: with a key that is "
            "sent with each request (SSE-C, Azure); the store keeps none. Client: by the mover, "
            "before the bytes leave it, for a store that is not trusted; any store."
        )
    )
    key: Annotated[str, StringConstraints(max_length=2048)] | None = Field(
        default=None,
        description=(
            "Kms: the key's ARN, or its resource name at Google; absent: aws/s3. Scope: its name."
        ),
    )
    key_secret_ref: SecretRef | None = Field(
        default=None,
        description=(
            "Customer and Client: Secret in this namespace, labelled cloudflux.io/credentials, "
            "whose encryptionKey is 32 random bytes in base64."
        ),
    )


class VolumeClaim(Model):
    """A PersistentVolumeClaim in the same namespace, labelled cloudflux.io/mover=true."""

    name: Name = Field(description="Name of the claim.")
    mount_path: Annotated[str, StringConstraints(pattern=r"^/.+$", max_length=1024)] = Field(
        description=(
            "Directory that the claim is at: the location's own or one above it, the same in the "
            "operator and in worker pods."
        )
    )


class Location(Model):
    """Where data is and how it is reached."""

    uri: Uri = Field(
        description=(
            "Where the data is: s3://bucket/prefix, az://container/prefix, gs://bucket/prefix or "
            "file:///directory."
        )
    )
    endpoint: Annotated[str, StringConstraints(max_length=2048)] | None = Field(
        default=None,
        description=(
            "URL of the server, as in https://host:port. Absent: AWS, or Google Cloud Storage. "
            "Needed for az://, whose account it names: https://ACCOUNT.blob.core.windows.net."
        ),
    )
    region: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="Region, for signatures and prices."
    )
    credentials_secret_ref: SecretRef | None = Field(
        default=None,
        description=(
            "Secret in this namespace, labelled cloudflux.io/credentials. Its keys for s3://: "
            "accessKeyId and secretAccessKey; az://: accountName with accountKey or sasToken, "
            'or connectionString; gs://: serviceAccountJson, or anonymous: "true". Absent: '
            "the operator's own identity, where its settings grant that."
        ),
    )
    encryption: Encryption | None = Field(
        default=None,
        description=(
            "How objects that are written here are encrypted, and read again. Absent: as the "
            "bucket does it by itself. A class change keeps each object's own encryption."
        ),
    )
    volume_claim: VolumeClaim | None = Field(
        default=None,
        description=(
            "For file://: the claim that worker pods mount to reach the directory. Absent: only "
            "the operator itself can copy from or to it (execution.mode Local)."
        ),
    )
