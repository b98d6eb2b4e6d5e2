"""Keys, digests, wrappers and the registry's rules for S3."""

import io

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from cloudflux.api.task import Credentials, StoreRef
from cloudflux.errors import (
    ConfigurationError,
    CredentialsInvalid,
    IntegrityError,
    NotSupported,
    PermissionDenied,
    StorageError,
    Throttled,
    Unavailable,
)
from cloudflux.storage import s3_attributes, s3_multipart
from cloudflux.storage.digests import DigestingReader, Digests, compare
from cloudflux.storage.keys import decode_key, encode_key
from cloudflux.storage.memory import MemoryStore
from cloudflux.storage.registry import open_store
from cloudflux.storage.s3_errors import translated
from cloudflux.storage.wrappers import Faults, FaultyStore


@given(st.binary())
def test_any_bytes_survive_encoding(raw: bytes) -> None:
    key = raw.decode("utf-8", "surrogateescape")
    encoded = encode_key(key)
    assert encoded.isascii()
    assert decode_key(encoded) == key


def test_digests_are_the_published_ones() -> None:
    reader = DigestingReader(io.BytesIO(b"123456789"))
    assert reader.read(4) + reader.read() == b"123456789"
    found = reader.digests.hex()
    assert found["crc32"] == "cbf43926"
    assert found["crc32c"] == "e3069283"
    assert found["crc64nvme"] == "ae8b14860a799888"
    assert found["md5"] == "25f9e794323b453885f5181f1b624d0b"


def test_differing_digests_are_an_integrity_error() -> None:
    compare({"md5": "00"}, {"sha256": "11"}, "k")
    with pytest.raises(IntegrityError, match="md5"):
        compare({"md5": "00"}, {"md5": "01"}, "k")


def ref(**changes: object) -> StoreRef:
    keys = Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="verysecret")
    given: dict[str, object] = {"uri": "s3://bucket/data", "credentials": keys, **changes}
    return StoreRef.model_validate(given)


def test_without_an_identity_nothing_is_opened() -> None:
    with pytest.raises(ConfigurationError, match="credentialsSecretRef"):
        open_store(ref(credentials=None))


@pytest.mark.parametrize("uri", ["s3://", "s3://B", "s3://bucket/../x", "s3://bucket/a//b"])
def test_bad_bucket_uris_are_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError):
        open_store(ref(uri=uri))


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDenied", 403, PermissionDenied),
        ("403", 403, PermissionDenied),
        ("SignatureDoesNotMatch", 403, CredentialsInvalid),
        ("SlowDown", 503, Throttled),
        ("InternalError", 500, Unavailable),
        ("NotImplemented", 501, NotSupported),
        ("Odd", 418, StorageError),
    ],
)
def test_vendor_errors_become_ours(code: str, status: int, kind: type[StorageError]) -> None:
    answer = {
        "Error": {"Code": code, "Message": "body with verysecret"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    with pytest.raises(kind) as raised, translated("PutObject", "k", bucket="b"):
        raise ClientError(answer, "PutObject")
    assert type(raised.value) is kind
    assert "verysecret" not in str(raised.value)
    if kind is PermissionDenied:
        assert "s3:PutObject" in str(raised.value)


def test_a_silent_endpoint_is_unavailable() -> None:
    with pytest.raises(Unavailable), translated("HeadObject", "k", bucket="b"):
        raise EndpointConnectionError(endpoint_url="http://x")


def test_parts_grow_with_the_object() -> None:
    assert s3_multipart.part_bytes(100 << 20, 16 << 20) == 16 << 20
    largest = s3_multipart.part_bytes(5 << 40, 16 << 20)
    assert largest * s3_multipart.MAX_PARTS >= 5 << 40
    assert largest % (1 << 20) == 0


def test_digests_of_parts_prove_nothing() -> None:
    assert s3_attributes.checksums_of({"x-amz-checksum-sha256": "AAAA-3"}) == {}
    whole = {"x-amz-checksum-crc32": "y/Q5Jg=="}
    assert s3_attributes.checksums_of(whole) == {"crc32": "cbf43926"}
    composite = {**whole, "x-amz-checksum-type": "COMPOSITE"}
    assert s3_attributes.checksums_of(composite) == {}


def outcomes(seed: int) -> list[str]:
    store = FaultyStore(MemoryStore(), Faults(before=0.3, after=0.3), seed=seed)
    found = []
    for number in range(50):
        try:
            store.put(f"k{number}", io.BytesIO(b"x"), 1)
            found.append("done")
        except Unavailable as error:
            found.append(str(error))
    return found


def test_faults_repeat_with_the_seed() -> None:
    assert outcomes(1) == outcomes(1)
    assert outcomes(1) != outcomes(2)
    assert len(set(outcomes(1))) == 3


def test_a_flipped_bit_is_seen_by_digests() -> None:
    inner = MemoryStore()
    inner.put("k", io.BytesIO(b"content"), 7)
    with FaultyStore(inner, Faults(flipped_bit=1.0), seed=1).open("k") as stream:
        wrong = DigestingReader(stream)
        while wrong.read(3):
            pass
    right = Digests()
    right.update(b"content")
    assert wrong.digests.size_bytes == 7
    with pytest.raises(IntegrityError):
        compare(right.hex(), wrong.digests.hex(), "k")
