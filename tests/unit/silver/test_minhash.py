"""Signatures tell how similar texts are, and similar ones meet in a band."""

import random

import numpy as np
import pytest

from lakerag.silver.minhash import PERMUTATIONS, buckets, estimate, rows_of_band, shingles, signature

WORDS = [f"word{n}" for n in range(5000)]


def text(seed: int, changed: float = 0.0, words: int = 400) -> str:
    source = random.Random(seed)
    drawn = [source.choice(WORDS) for _ in range(words)]
    other = random.Random(seed + 10**6)
    return " ".join(other.choice(WORDS) if other.random() < changed else word for word in drawn)


def jaccard(left: str, right: str) -> float:
    one, other = (set(shingles(side, 3).tolist()) for side in (left, right))
    return len(one & other) / len(one | other)


def test_the_estimate_is_near_the_jaccard_index() -> None:
    off = []
    for seed in range(60):
        pair = text(seed), text(seed, 0.002 * seed)
        signed = [[signature(shingles(side, 3)).tobytes()] for side in pair]
        off.append(float(estimate(*signed)[0]) - jaccard(*pair))
    assert abs(float(np.mean(off))) < 0.02
    assert float(np.std(off)) < 1.5 * 0.5 / PERMUTATIONS**0.5


def test_case_and_marks_do_not_matter_and_short_texts_have_no_shingles() -> None:
    assert shingles("One two, THREE four.", 3).tolist() == shingles("one TWO three   four", 3).tolist()
    assert len(shingles("one two three four", 5)) == 0
    assert len(shingles("", 3)) == 0


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9, 1.0])
def test_texts_at_the_threshold_meet_with_ninety_nine_percent(threshold: float) -> None:
    rows = rows_of_band(threshold)
    bands = PERMUTATIONS // rows
    assert 1 - (1 - threshold**rows) ** bands >= 0.99
    assert rows == PERMUTATIONS or 1 - (1 - threshold ** (rows + 1)) ** (PERMUTATIONS // (rows + 1)) < 0.99


def test_similar_texts_share_a_bucket_and_others_none() -> None:
    rows = rows_of_band(0.7)

    def placed(seed: int, changed: float = 0.0) -> set[int]:
        return set(buckets(signature(shingles(text(seed, changed), 3)), rows))

    assert all(placed(seed) & placed(seed, 0.03) for seed in range(40))
    assert not any(placed(seed) & placed(seed + 500) for seed in range(40))
    assert len(placed(1)) == PERMUTATIONS // rows
