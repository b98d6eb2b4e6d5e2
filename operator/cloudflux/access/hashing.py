"""64-bit hashes of a column of text at once, the same in every process and version.

They tell requests apart, nothing else: a multilinear hash (Carter and Wegman), a word for each
byte and an odd weight for each place, mixed at the end. Two texts that differ meet in one of
2^63. It is no secret and hides nothing; what stands for people is hashed by BLAKE2b.
"""

from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Hashes = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_CHUNK_BYTES = 1 << 16
"""So much text at a time: its words, eight times as many bytes, fit into the cache."""


def hash_texts(column: pa.Array | pa.ChunkedArray, seed: str) -> Hashes:
    """Hash each text of a column without nulls; never 0, which means none."""
    texts = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    base = _word(f"seed:{seed}")
    found = np.empty(len(texts), np.uint64)
    lengths = np.asarray(pc.binary_length(texts)).astype(np.int64)
    ends = np.cumsum(lengths)
    first = 0
    while first < len(texts):
        # a text longer than a chunk is a chunk of its own
        room = (ends[first - 1] if first else 0) + _CHUNK_BYTES
        last = max(first + 1, int(np.searchsorted(ends, room, "right")))
        found[first:last] = _sums(texts.slice(first, last - first), lengths[first:last])
        first = last
    hashes = _mixed(found + base + lengths.astype(np.uint64)).view(np.int64)
    hashes[hashes == 0] = 1
    return hashes


def _sums(texts: pa.Array, lengths: Hashes) -> Words:
    letters = _letters(texts)
    filled = lengths > 0
    starts = np.cumsum(lengths) - lengths
    sums = np.zeros(len(lengths), np.uint64)
    if not len(letters):
        return sums
    places = np.arange(len(letters), dtype=np.int32) - np.repeat(starts.astype(np.int32), lengths)
    words = _words()[letters] * _weights(1 << int(lengths.max() - 1).bit_length())[places]
    sums[filled] = np.add.reduceat(words, starts[filled])
    return sums


def _letters(texts: pa.Array) -> npt.NDArray[np.uint8]:
    joined = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "")
    return np.frombuffer(joined[0].as_buffer(), np.uint8)


def _mixed(words: Words) -> Words:
    """Let each bit depend on all (the end of SplitMix64)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _word(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))


@lru_cache(maxsize=1)
def _words() -> Words:
    return np.array([_word(f"byte:{n}") for n in range(256)], np.uint64)


@lru_cache(maxsize=32)
def _weights(count: int) -> Words:
    return np.array([_word(f"place:{n}") for n in range(count)], np.uint64) | np.uint64(1)
