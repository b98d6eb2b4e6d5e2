"""Fetching the providers' public price lists, or reading ones that were fetched before."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote, urlencode
from urllib.request import urlopen

from cloudflux.brain.feeds import aws, azure, gcs
from cloudflux.brain.feeds.found import Found
from cloudflux.errors import ConfigurationError

AWS_OFFER = (
    "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/{offer}/current/{region}/index.json"
)
AZURE_PRICES = "https://prices.azure.com/api/retail/prices"
GCP_SKUS = "https://cloudbilling.googleapis.com/v1/services/95FF-2EF5-5EA1/skus"
"""The catalogue of Cloud Storage; it asks for an API key."""
GCP_KEY = "GOOGLE_API_KEY"
TIMEOUT_SECONDS = 30
_MAX_PAGES = 200


def read_feed(provider: str, region: str, files: Sequence[Path]) -> Found:
    """Return the figures of a provider's list, from files where they are given, else fetched.

    Raises ConfigurationError where the list can't be had or understood.
    """
    if provider == "s3":
        documents = [_file(path) for path in files] or [
            _fetch(AWS_OFFER.format(offer=offer, region=quote(region, safe="")))
            for offer in ("AmazonS3", "AWSDataTransfer")
        ]
        return aws.parse(documents[0], documents[1] if len(documents) > 1 else None)
    if provider == "azure":
        pages = [_file(path) for path in files] or _azure_pages(region)
        return azure.parse([row for page in pages for row in page.get("Items", ())], region)
    if provider == "gcs":
        pages = [_file(path) for path in files] or _gcp_pages()
        return gcs.parse([sku for page in pages for sku in page.get("skus", ())], region)
    raise ConfigurationError(
        f"{provider} publishes no price list that can be read; write what you pay into an overlay"
    )


def _azure_pages(region: str) -> list[dict[str, Any]]:
    clauses = {
        "serviceName": "Storage",
        "productName": azure.PRODUCT,
        "armRegionName": region,
        "priceType": "Consumption",
    }
    wanted = " and ".join(f"{name} eq '{value}'" for name, value in clauses.items())
    url: str | None = f"{AZURE_PRICES}?{urlencode({'$filter': wanted})}"
    pages: list[dict[str, Any]] = []
    while url and len(pages) < _MAX_PAGES:
        pages.append(_fetch(url))
        url = pages[-1].get("NextPageLink")
        if url and not url.startswith(AZURE_PRICES):
            raise ConfigurationError(f"the price list leads to another place: {url}")
    return pages


def _gcp_pages() -> list[dict[str, Any]]:
    key = os.environ.get(GCP_KEY)
    if not key:
        raise ConfigurationError(
            f"Google's price list needs an API key: set {GCP_KEY}, or give a list that was "
            "fetched before with --feed"
        )
    pages: list[dict[str, Any]] = []
    token = ""
    while len(pages) < _MAX_PAGES:
        query = {"key": key, "pageSize": "5000", **({"pageToken": token} if token else {})}
        pages.append(_fetch(f"{GCP_SKUS}?{urlencode(query)}"))
        token = pages[-1].get("nextPageToken") or ""
        if not token:
            break
    return pages


def _fetch(url: str) -> dict[str, Any]:
    plain = url.split("?", 1)[0]  # the query may hold a key
    try:
        with urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - https, as above
            return _object(json.load(answer), plain)
    except (URLError, TimeoutError, ValueError) as error:
        raise ConfigurationError(
            f"{plain} can't be read ({error}); fetch it elsewhere and give it with --feed"
        ) from error


def _file(path: Path) -> dict[str, Any]:
    try:
        return _object(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is no price list: {error}") from error


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where} is no price list: it holds no JSON object")
    return value
