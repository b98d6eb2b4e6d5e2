"""Formats of access logs: one module for each, behind one interface."""

from cloudflux.access.formats.azure import AZURE
from cloudflux.access.formats.base import LogFormat
from cloudflux.access.formats.cloudtrail import CLOUDTRAIL
from cloudflux.access.formats.gcs import GCS_AUDIT, GCS_USAGE
from cloudflux.access.formats.s3 import S3_TEXT
from cloudflux.api.dataset import AccessSourceType

FORMATS: dict[AccessSourceType, LogFormat] = {
    AccessSourceType.S3_ACCESS_LOGS: S3_TEXT,
    AccessSourceType.CLOUD_TRAIL: CLOUDTRAIL,
    AccessSourceType.AZURE_LOGS: AZURE,
    AccessSourceType.GCS_USAGE_LOGS: GCS_USAGE,
    AccessSourceType.GCS_AUDIT_LOGS: GCS_AUDIT,
}
"""The format of each kind of source that reads log objects."""
