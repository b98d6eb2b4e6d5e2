"""Which requests say what of server-side encryption, and what is refused before any is made."""

import base64
import hashlib

import pytest
from pydantic import SecretStr

from cloudflux.api.common import EncryptionType
from cloudflux.api.task import AzureCredentials, Credentials, StoreEncryption, StoreRef
from cloudflux.errors import ConfigurationError
from cloudflux.storage.azure_encryption import arguments_of
from cloudflux.storage.encryption import Asked
from cloudflux.storage.registry import open_store
from cloudflux.storage.s3 import S3Store
from cloudflux.storage.s3_encryption import ServerSide, kept

KEY = bytes(range(32))
TEXT = base64.b64encode(KEY).decode()
SSE = "x-amz-server-side-encryption"
KEYS = Credentials(access_key_id="a", secret_access_key=SecretStr("s"))


def asked(type_: str, key: str | None = None, secret: str | None = None) -> StoreEncryption:
    held = SecretStr(secret) if secret is not None else None
    return StoreEncryption(type=EncryptionType(type_), key=key, secret=held)


def test_writes_name_the_key_and_copies_keep_what_the_object_has() -> None:
    kms = ServerSide(Asked(EncryptionType.KMS, key="arn:key"))
    named = {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": "arn:key"}
    assert kms.headers("PutObject") == kms.headers("CreateMultipartUpload") == named
    for operation in ("CopyObject", "GetObject", "HeadObject", "UploadPart", "DeleteObject"):
        assert kms.headers(operation) == {}
    assert ServerSide(Asked(EncryptionType.PROVIDER)).headers("PutObject") == {SSE: "AES256"}
    assert ServerSide(None).headers("PutObject") == {}


def test_a_customers_key_goes_with_every_request_that_touches_content() -> None:
    side = ServerSide(Asked(EncryptionType.CUSTOMER, secret=KEY))
    md5 = base64.b64encode(hashlib.md5(KEY).digest()).decode()
    expected = {
        f"{SSE}-customer-algorithm": "AES256",
        f"{SSE}-customer-key": TEXT,
        f"{SSE}-customer-key-md5": md5,
    }
    for operation in (
        "PutObject",
        "CreateMultipartUpload",
        "UploadPart",
        "GetObject",
        "HeadObject",
    ):
        assert side.headers(operation) == expected
    for operation in ("CopyObject", "UploadPartCopy"):
        found = side.headers(operation)
        assert found.items() >= expected.items()
        assert found["x-amz-copy-source-server-side-encryption-customer-key"] == TEXT
    for operation in ("ListObjectsV2", "DeleteObject", "GetBucketVersioning", "RestoreObject"):
        assert side.headers(operation) == {}, "the key goes nowhere else"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({SSE: "AES256", "etag": "x"}, {SSE: "AES256"}),
        (
            {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": "k", f"{SSE}-bucket-key-enabled": "true"},
            {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": "k", f"{SSE}-bucket-key-enabled": "true"},
        ),
        ({}, {}),
    ],
)
def test_a_copy_onto_itself_keeps_the_encryption(
    told: dict[str, str], said: dict[str, str]
) -> None:
    assert kept(told) == said


@pytest.mark.parametrize(
    ("uri", "encryption", "words"),
    [
        ("s3://bucket", asked("Scope", "s"), "Scope is not for this store; it has Provider, Kms"),
        ("az://container", asked("Kms", "k"), "it has Provider, Scope, Customer"),
        ("az://container", asked("Scope"), "needs key"),
        ("file:///tmp", asked("Provider"), "it has none"),
        ("s3://bucket", asked("Customer"), "needs keySecretRef"),
        ("s3://bucket", asked("Customer", secret="c2hvcnQ="), "must be 32 bytes"),
        ("s3://bucket", asked("Client", secret="not base64 at all"), "must be 32 bytes"),
    ],
)
def test_what_a_store_can_not_do_is_refused_before_a_request(
    uri: str, encryption: StoreEncryption, words: str
) -> None:
    account = AzureCredentials(account="a", account_key=SecretStr("a2V5"))
    credentials = {"s3": KEYS, "az": account}.get(uri.partition(":")[0])
    endpoint = None if uri.startswith("file") else "http://127.0.0.1:1/a"
    ref = StoreRef(
        uri=uri, endpoint=endpoint, credentials=credentials, file_roots=("/tmp",),
        encryption=encryption,
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match=words) as refused:
        open_store(ref)
    held = encryption.secret
    assert held is None or held.get_secret_value() not in str(refused.value)


def test_azure_writes_into_a_scope_and_reads_with_a_customers_key() -> None:
    scope = Asked(EncryptionType.SCOPE, key="mine")
    assert arguments_of(scope) == ({"encryption_scope": "mine"}, {})
    writes, reads = arguments_of(Asked(EncryptionType.CUSTOMER, secret=KEY))
    assert writes["cpk"].key_value == reads["cpk"].key_value == TEXT
    digest = base64.b64encode(hashlib.sha256(KEY).digest()).decode()
    assert reads["cpk"].key_hash == digest
    assert arguments_of(None) == ({}, {})


def test_the_server_copies_nothing_where_a_location_asks_for_a_key() -> None:
    def store(prefix: str, encryption: StoreEncryption | None = None) -> S3Store:
        uri = f"s3://bucket/{prefix}"
        ref = StoreRef(uri=uri, endpoint="http://127.0.0.1:1", credentials=KEYS)
        found = open_store(ref.model_copy(update={"encryption": encryption}))
        assert isinstance(found, S3Store)
        return found

    plain, other, named = store("a"), store("b"), store("c", asked("Kms", "arn:key"))
    assert plain.copies_from(other)
    assert not named.copies_from(plain), "the copy would have the bucket's own encryption"
    assert not plain.copies_from(named)


def test_no_key_is_ever_shown() -> None:
    assert "Customer" in repr(Asked(EncryptionType.CUSTOMER, secret=KEY))
    assert str(KEY) not in repr(Asked(EncryptionType.CUSTOMER, secret=KEY))
