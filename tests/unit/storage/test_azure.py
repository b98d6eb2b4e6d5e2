"""Azure's words and ours, and how its errors are told apart; without a server."""

import datetime as dt

import pytest
from azure.core import exceptions as azure
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from cloudflux.api.task import AzureCredentials, Credentials, StoreRef
from cloudflux.errors import (
    ConfigurationError,
    ContainerNotFound,
    CredentialsInvalid,
    NotSupported,
    ObjectArchived,
    ObjectNotFound,
    PermissionDenied,
    PreconditionFailed,
    Throttled,
    Unavailable,
)
from cloudflux.storage import azure_attributes as attributes
from cloudflux.storage.azure_client import client_for, split_uri
from cloudflux.storage.azure_errors import Requests
from cloudflux.storage.azure_send import blob_headers, string_to_sign
from cloudflux.storage.interface import ObjectInfo
from cloudflux.storage.keys import problems
from cloudflux.storage.registry import open_store
from cloudflux.storage.retry import Backoff, Retrier

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KEY = AzureCredentials(account="acct", account_key="c2VjcmV0")


class Answer:
    """As much of a response as an error carries."""

    def __init__(self, status, headers=None):
        self.status_code, self.headers, self.reason = status, headers or {}, "because"

    def text(self):
        return "secret body"


def error(status, code="", **headers):
    raised = azure.HttpResponseError(response=Answer(status, headers))
    raised.error_code = code
    return raised


def told(raised, key="a/b"):
    """Our error for one of the SDK's."""

    def request():
        raise raised

    with pytest.raises(Exception) as found:
        Requests("az://box/data", Retrier(Backoff(attempts=1))).send("Put Blob", key, request)
    return found.value


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_names_of_metadata_are_identifiers_and_come_back(name):
    escaped = attributes.escape_name(name)
    assert escaped.isascii()
    assert escaped.isidentifier()
    assert attributes.unescape_name(escaped) == name


def test_plain_names_stay_as_they_are():
    assert attributes.escape_name("owner_Name7") == "owner_Name7"
    assert attributes.escape_name("cloudflux-job") == "cloudflux_x2d_job"


def test_headers_that_azure_has_not_travel_as_metadata():
    info = ObjectInfo("k", 1, "v", "c", None, headers={"expires": "0", "content-type": "a/b"})
    written = attributes.write_arguments(info, None, {"x-y": "1"}, key="k")
    assert written["content_settings"].content_type == "a/b"
    assert attributes.split_metadata(written["metadata"]) == ({"x-y": "1"}, {"expires": "0"})


@pytest.mark.parametrize(
    ("metadata", "why"),
    [({"a": "ü"}, "metadata a is not ASCII"), ({"a": "x" * 9000}, "and Azure holds 8192")],
)
def test_metadata_that_azure_cannot_hold_are_refused_and_not_dropped(metadata, why):
    with pytest.raises(NotSupported, match=why):
        attributes.write_arguments(None, None, metadata, key="k")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "BlobNotFound", ObjectNotFound),
        (404, "ContainerNotFound", ContainerNotFound),
        (403, "AuthenticationFailed", CredentialsInvalid),
        (403, "AuthorizationPermissionMismatch", PermissionDenied),
        (409, "BlobImmutableDueToPolicy", PermissionDenied),
        (412, "ConditionNotMet", PreconditionFailed),
        (409, "BlobAlreadyExists", PreconditionFailed),
        (412, "LeaseIdMissing", PreconditionFailed),
        (409, "BlobArchived", ObjectArchived),
        (400, "InvalidHeaderValue", NotSupported),
        (400, "Md5Mismatch", Unavailable),
        (503, "ServerBusy", Throttled),
        (500, "InternalError", Unavailable),
        (502, "", Unavailable),
        (429, "", Throttled),
    ],
)
def test_errors_are_told_apart(status, code, kind):
    found = told(error(status, code))
    assert type(found) is kind
    assert str(found).startswith("Azure Put Blob az://box/data/a/b: ")
    assert "secret" not in str(found)


def test_the_pause_that_azure_asks_for_is_kept():
    found = told(error(503, "ServerBusy", **{"Retry-After": "3"}))
    assert found.retry_after_seconds == 3


def test_broken_connections_may_be_tried_again():
    assert told(azure.ServiceRequestError("secret")).retryable
    assert told(azure.ServiceResponseError("secret")).retryable
    broken = told(azure.HttpResponseError("a body broke off"))
    assert broken.retryable
    assert "the endpoint does not answer to the end; check endpoint" in str(broken)
    assert isinstance(told(azure.ClientAuthenticationError("secret")), CredentialsInvalid)


@pytest.mark.parametrize(
    "uri", ["az://", "az://UP/x", "az://a", "az://a--b", "az://good/../x", "az://good/a//b"]
)
def test_bad_locations_are_refused(uri):
    with pytest.raises(ConfigurationError):
        split_uri(uri)


def test_locations_are_container_and_prefix():
    assert split_uri("az://box") == ("box", "")
    assert split_uri("az://box/a/b/") == ("box", "a/b/")
    assert split_uri("az://$web/a") == ("$web", "a/")


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        (StoreRef(uri="az://box"), "no credentials"),
        (StoreRef(uri="az://box", ambient=True), "the account is not known"),
        (
            StoreRef(uri="az://box", ambient=True, endpoint="http://127.0.0.1:1"),
            "sent over https only",
        ),
        (
            StoreRef(
                uri="az://box", credentials=Credentials(access_key_id="a", secret_access_key="b")
            ),
            "not those of Azure",
        ),
    ],
)
def test_without_an_identity_nothing_is_opened(ref, why):
    with pytest.raises(ConfigurationError, match=why):
        client_for(ref)


def test_the_account_leads_to_its_endpoint():
    client, _, _ = client_for(StoreRef(uri="az://box", credentials=KEY))
    assert client.primary_endpoint == "https://acct.blob.core.windows.net/"


def test_keys_that_azure_would_write_otherwise_are_named():
    store = open_store(StoreRef(uri="az://box", credentials=KEY))
    found = dict(problems(["a\\b", "a./b", "a.", "tab\t", "a/b.txt", "a/"], store.capabilities))
    assert set(found) == {"a\\b", "a./b", "a.", "tab\t"}
    assert found["a\\b"] == "contains \\, which az:// can't keep"
    assert found["tab\t"] == "contains U+0009, which az:// can't keep"
    with pytest.raises(NotSupported, match="no backslash"):
        store.head("a\\b")


def test_tier_roots_are_for_files():
    with pytest.raises(ConfigurationError, match="file:// locations only"):
        open_store(StoreRef(uri="az://box", credentials=KEY), tier_roots=["file:///cold"])


def test_requests_of_our_own_are_signed_as_the_sdk_signs_them(monkeypatch):
    client, _, _ = client_for(StoreRef(uri="az://box", credentials=KEY))
    names = ("job", "job_uid", "job2", "Job_9", "jobs", "cloudflux_checked", "a_b", "a1", "ab")
    arguments = attributes.write_arguments(
        ObjectInfo(
            "k", 3, "1", "Hot", NOW, headers={"content-type": "text/csv"}, tags={"a b": "c&d"}
        ),
        "Cool",
        dict.fromkeys(names, "value"),
        key="k",
    )
    headers = blob_headers(arguments, {"encryption_scope": "mine"}, {"if-match": '"0x1"'})
    headers |= {"x-ms-version": "2026-01-01", "x-ms-date": "today", "content-md5": "bWQ1"}
    signed = []
    monkeypatch.setattr(
        client.credential, "_add_authorization_header", lambda _, text: signed.append(text)
    )
    url = "https://acct.blob.core.windows.net/box/a%20b"
    request = HttpRequest("PUT", url, headers={**headers, "content-length": "3"})
    client.credential.on_request(PipelineRequest(request, PipelineContext(None)))
    ours = string_to_sign("PUT", "/box/a%20b", {**headers, "content-length": "3"}, "acct")
    assert [ours] == signed
    assert headers["x-ms-tags"] == "a%20b=c%26d"
    assert headers["x-ms-access-tier"] == "Cool"
