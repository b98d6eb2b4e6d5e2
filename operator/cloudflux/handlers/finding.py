"""Where the data of a DataSet that was created again is: from marker to marker, to the newest."""

import datetime as dt
from dataclasses import dataclass

from pydantic import ValidationError

from cloudflux.api.common import Location, SecretRef
from cloudflux.api.dataset import ActiveLocation, DataSetStatus
from cloudflux.api.move_tasks import Marker
from cloudflux.errors import ConfigurationError
from cloudflux.handlers import dataset_status as compute
from cloudflux.handlers.overlap import place
from cloudflux.handlers.resources import DataSet

MAX_HOPS = 100
"""Each hop is one listing; a chain that long was not made by moves that anybody remembers."""


@dataclass(frozen=True, slots=True)
class Trail:
    """How far the markers were followed; begins at the origin."""

    here: Location
    """The place that is to be asked next."""
    generation: int = 0
    """Of the marker that led here; 0 at the origin."""
    hops: int = 0


def begin(data_set: DataSet) -> Trail:
    """The search begins where the DataSet says that its data was."""
    return Trail(data_set.spec.location)


def follow(data_set: DataSet, trail: Trail, found: Marker | None) -> tuple[Trail, bool]:
    """The trail after asking `trail.here`, and whether it ends there.

    A location keeps the marker of the last move that began or ended there, also after it was
    retired; generations only grow, so that following them ends at the newest. A marker of
    another data set leads nowhere. Raises ConfigurationError for an endless chain.
    """
    if found is None or (found.namespace, found.data_set) != (data_set.namespace, data_set.name):
        return trail, True
    if found.generation < max(trail.generation, 1):
        return trail, True
    if place(found.target_uri, found.target_endpoint) == place(trail.here.uri, trail.here.endpoint):
        return Trail(trail.here, found.generation, trail.hops), True
    if found.generation == trail.generation:
        return trail, True  # markers of one move lead to one place
    if trail.hops >= MAX_HOPS:
        raise ConfigurationError(
            f"more than {MAX_HOPS} markers lead from one location to the next, the last to "
            f"{found.target_uri}; create the DataSet with its present location as spec.location"
        )
    return Trail(_target(data_set, found), found.generation, trail.hops + 1), False


def is_hearsay(data_set: DataSet, here: Location) -> bool:
    """Whether only a marker, and nobody who may use the Secrets, says to send them there."""
    if here.endpoint is None:
        return False  # the vendor's own
    origin = data_set.spec.location
    return not _same_kind(here.uri, origin.uri) or (
        here.endpoint.rstrip("/") != (origin.endpoint or "").rstrip("/")
    )


def _same_kind(one: str, other: str) -> bool:
    return one.partition("://")[0] == other.partition("://")[0]


def _target(data_set: DataSet, marker: Marker) -> Location:
    """The place that a marker leads to, with the Secret that the move used for it."""
    origin = data_set.spec.location
    if marker.target_encryption is not None:
        raise ConfigurationError(
            f"the data was moved to {marker.target_uri} and is encrypted there "
            f"({marker.target_encryption}); create the DataSet with that as spec.location, with "
            "its encryption"
        )
    same_kind = _same_kind(marker.target_uri, origin.uri)
    try:
        secret = SecretRef(name=marker.target_secret_name) if marker.target_secret_name else None
        if marker.target_secret_name is None and same_kind:
            secret = origin.credentials_secret_ref
        return Location(
            uri=marker.target_uri,
            endpoint=marker.target_endpoint,
            region=marker.target_region or (origin.region if same_kind else None),
            credentials_secret_ref=secret,
        )
    except ValidationError as error:
        # whoever can write to the place can write a marker
        raise ConfigurationError(
            "the marker .cloudflux/location.json leads to no location that can be used "
            f"({marker.target_uri[:200]!r}); remove it, or create the DataSet with its present "
            "location as spec.location"
        ) from error


def located(data_set: DataSet, trail: Trail, now: dt.datetime) -> DataSetStatus:
    """The status with its first active location: where the trail ended."""
    origin, here = data_set.spec.location, trail.here
    secret = here.credentials_secret_ref
    location = ActiveLocation(
        uri=here.uri,
        endpoint=here.endpoint,
        region=here.region,
        credentials_secret_name=secret.name if secret else None,
        encryption=here.encryption,
        volume_claim=here.volume_claim,
        generation=trail.generation,
        since=now,
        previous=origin.uri if trail.hops else None,
    )
    return compute.first_visit(data_set, now).model_copy(update={"location": location})
