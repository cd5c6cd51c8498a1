"""MinHash signatures of texts, and the bands by which similar ones meet.

Broder, "On the resemblance and containment of documents" (1997); banding after Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3.
"""

import re
from collections.abc import Callable, Iterator
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa

VERSION = "minhash-1"
PERMUTATIONS = 128
"""The estimate of a Jaccard index J is off by sqrt(J (1 - J) / 128): 0.04 at 0.7."""
SHINGLE_WORDS = 3
MIN_RECALL = 0.99
"""Probability that two texts exactly at the threshold meet in a band."""
CHUNK_SHINGLES = 8192
"""Shingles hashed at a time: 8 MiB."""

SIGNED = pa.schema([("content_hash", pa.string()), ("signature", pa.binary()), ("buckets", pa.list_(pa.int64()))])
SIGNED_DDL = "content_hash STRING, signature BINARY, buckets ARRAY<BIGINT>"

_WORD = re.compile(r"\w+")
_RANDOM = np.random.Generator(np.random.PCG64(20_240_501))
_FACTORS = _RANDOM.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS = _RANDOM.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)
_PLACES = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)

Signature = npt.NDArray[np.uint32]


def shingles(text: str, min_words: int) -> npt.NDArray[np.uint64]:
    """Returns the distinct hashes of a text's runs of three words, any case; none for a short text."""
    words = _WORD.findall(text.lower())
    if len(words) < max(min_words, SHINGLE_WORDS):
        return np.empty(0, dtype=np.uint64)
    hashes = np.fromiter((crc32(word.encode()) for word in words), dtype=np.uint64, count=len(words))
    count = len(hashes) - SHINGLE_WORDS + 1
    mixed = sum((hashes[n : n + count] + np.uint64(n + 1)) * place for n, place in enumerate(_PLACES))
    return np.unique(np.asarray(mixed, dtype=np.uint64))


def signature(hashes: npt.NDArray[np.uint64]) -> Signature:
    """Returns the least value of every permutation (multiply-shift, Dietzfelbinger et al. 1997)."""
    least = np.full(PERMUTATIONS, 2**32 - 1, dtype=np.uint32)
    for start in range(0, len(hashes), CHUNK_SHINGLES):
        part = hashes[start : start + CHUNK_SHINGLES]
        values = ((part[None, :] * _FACTORS[:, None] + _OFFSETS[:, None]) >> np.uint64(32)).astype(np.uint32)
        np.minimum(least, values.min(axis=1), out=least)
    return least


def rows_of_band(threshold: float) -> int:
    """Returns the most rows a band that let texts at the threshold meet with `MIN_RECALL`.

    More rows give fewer chance meetings: (1 - (1 - J^rows)^bands) falls steeply below the threshold.
    """
    fitting = [
        rows for rows in range(1, PERMUTATIONS + 1) if 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows) >= MIN_RECALL
    ]
    return max(fitting, default=1)


def buckets(signed: Signature, rows: int) -> list[int]:
    """Returns one number a band; equal bands of two signatures give equal numbers."""
    bands = PERMUTATIONS // rows
    values = signed[: bands * rows].astype(np.uint64).reshape(bands, rows)
    mixed = np.arange(1, bands + 1, dtype=np.uint64) * _PLACES[0]
    for column in range(rows):
        mixed = (mixed ^ values[:, column]) * _PLACES[1]
        mixed ^= mixed >> np.uint64(29)
    found: list[int] = mixed.view(np.int64).tolist()
    return found


def estimate(left: list[bytes], right: list[bytes]) -> npt.NDArray[np.float64]:
    """Returns the estimated Jaccard index of pairs of signatures."""
    shape = (len(left), PERMUTATIONS)
    pairs = (np.frombuffer(b"".join(side), dtype=np.uint32).reshape(shape) for side in (left, right))
    shares: npt.NDArray[np.float64] = np.equal(*pairs).mean(axis=1)
    return shares


def signer(rows: int, min_words: int) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Returns the Arrow function from (content_hash, text) to `SIGNED`; a short text has no buckets."""

    def sign(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            signed = []
            for content_hash, text in zip(batch.column("content_hash"), batch.column("text"), strict=True):
                hashes = shingles(text.as_py(), min_words)
                least = signature(hashes) if len(hashes) else None
                held = (None, []) if least is None else (least.tobytes(), buckets(least, rows))
                signed.append((content_hash.as_py(), *held))
            columns = [list(column) for column in zip(*signed, strict=True)] or [[], [], []]
            yield pa.RecordBatch.from_arrays(
                [pa.array(column, field.type) for column, field in zip(columns, SIGNED, strict=True)], schema=SIGNED
            )

    return sign
