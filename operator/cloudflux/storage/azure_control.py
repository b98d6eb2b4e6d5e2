"""What an Azure store is asked beside its blobs: the container's configuration, and rehydration."""

from typing import Any

from azure.storage.blob import BlobClient, ContainerClient

from cloudflux.storage import azure_attributes as attributes
from cloudflux.storage import azure_config, azure_tiers
from cloudflux.storage.archive import Restoration
from cloudflux.storage.azure_errors import Requests
from cloudflux.storage.bucket_facts import BucketFacts
from cloudflux.storage.interface import ObjectInfo


class AzureControl:
    """The part of `AzureStore` that reads no content."""

    _container: ContainerClient
    _requests: Requests

    def _blob(self, key: str) -> BlobClient:
        raise NotImplementedError

    def _properties(self, key: str) -> Any:
        raise NotImplementedError

    def require_fits(self, info: ObjectInfo) -> None:
        """Raise unless metadata, headers and tags can be kept here."""
        attributes.write_arguments(info, None, None, key=info.key)

    def bucket_facts(self) -> BucketFacts:
        """What the container does with what is written and deleted in it."""
        load = self._container.get_container_properties
        return azure_config.bucket_facts(
            lambda: self._requests.send("Get Container Properties", "", load)
        )

    def archives_unseen(self) -> bool:
        """A listing tells the tier of each blob."""
        return False

    def restoration(self, key: str) -> Restoration:
        """How far the rehydration of a blob is. Raises ObjectNotFound."""
        found = self._properties(key)
        return azure_tiers.restoration_of(found)

    def restore(self, key: str, *, tier: str, days: int, to_class: str | None) -> None:  # noqa: ARG002
        """Ask for the blob in `to_class`, or in Hot, where it stays; see the contract."""
        azure_tiers.rehydrate(
            self._requests, self._blob(key), key, tier, to_class or attributes.CLASSES[0]
        )
