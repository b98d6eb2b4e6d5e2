"""What an S3 store is asked beside its objects: configuration, restores, unfinished uploads."""

from collections.abc import Iterator

from cloudflux.storage import s3_attributes as attributes
from cloudflux.storage import s3_classes, s3_config, s3_restore
from cloudflux.storage import s3_uploads as uploads
from cloudflux.storage.archive import Restoration
from cloudflux.storage.bucket_facts import BucketFacts
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.s3_bucket import Bucket
from cloudflux.storage.s3_conditions import Conditions
from cloudflux.storage.s3_write import Writer


class S3Control:
    """The part of `S3Store` that reads and writes no content."""

    _bucket: Bucket
    _writer: Writer
    _conditions: Conditions

    def require_fits(self, info: ObjectInfo) -> None:
        """Raise unless metadata, headers and tags can be kept here."""
        attributes.write_headers(info, None, None)

    def bucket_facts(self) -> BucketFacts:
        """What the bucket does with what is written and deleted in it."""
        return s3_config.bucket_facts(self._bucket)

    def archives_unseen(self) -> bool:
        """Whether Intelligent-Tiering may archive objects here; no listing tells which."""
        return s3_restore.archives_unseen(self._bucket)

    def restoration(self, key: str) -> Restoration:
        """How far the restore of an object is. Raises ObjectNotFound."""
        return s3_restore.restoration_of(self._bucket.head(key))

    def restore(self, key: str, *, tier: str, days: int, to_class: str | None) -> None:  # noqa: ARG002
        """Ask for a copy beside the archive for `days`; see the contract."""
        s3_restore.request_restore(self._bucket, key, tier=tier, days=days)

    def enforces_copy_conditions(self, key: str) -> tuple[bool, bool]:
        """Measure, with a scratch object, whether a copy's (source, target) conditions count."""
        return s3_classes.measure_conditions(self._bucket, self._bucket.name(key))

    def uploads(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Unfinished multipart uploads below prefix: (key, upload id)."""
        return uploads.unfinished(self._bucket, prefix)

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Drop one; absent is not an error."""
        uploads.abort(self._writer.upload(self._bucket.name(key), {}, {}, probe=False), upload_id)

    def enforces_write_conditions(self) -> bool:
        """Measure whether a write that must create refuses to overwrite, by the server itself."""
        return self._conditions.enforced()

    def close(self) -> None:
        """Nothing: the connections are shared by all stores of the endpoint and the key."""
