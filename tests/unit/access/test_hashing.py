"""Hashes of columns of text: stable, and different for what differs."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cloudflux.access import hashing
from cloudflux.access.hashing import hash_texts


def test_they_are_the_same_in_every_version():
    """They are stored: another hash would count what was counted before."""
    found = hash_texts(pa.array(["", "a", "3E57427F3EXAMPLE\0REST.GET.OBJECT\0in/é"]), "s3logs:x")
    assert found.tolist() == [-2932904921036128974, -4547267896347720113, -7618214917155203799]


@given(st.lists(st.text(max_size=40), max_size=30), st.integers(1, 60))
def test_a_text_has_its_hash_whatever_stands_beside_it(texts, chunk_bytes):
    alone = [int(hash_texts(pa.array([text]), "s")[0]) for text in texts]
    before, hashing._CHUNK_BYTES = hashing._CHUNK_BYTES, chunk_bytes
    try:
        together = hash_texts(pa.chunked_array([texts], pa.string()), "s")
    finally:
        hashing._CHUNK_BYTES = before
    assert together.tolist() == alone
    assert len(set(alone)) == len(set(texts))


def test_a_hundred_thousand_likenesses_all_differ():
    names = [f"R{n:07d}" for n in range(50_000)] + [f"{n:07d}R" for n in range(50_000)]
    found = hash_texts(pa.array(names), "s")
    assert len(np.unique(found)) == len(names)
    low = np.bincount(found & 1023, minlength=1024)  # and spread evenly, in their low bits too
    assert low.min() > 40
    assert low.max() < 180


def test_the_seed_tells_signals_apart():
    assert hash_texts(pa.array(["a"]), "x") != hash_texts(pa.array(["a"]), "y")
