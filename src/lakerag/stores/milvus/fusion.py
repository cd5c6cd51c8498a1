"""Scores of different kinds added up: how far each stands out among the candidates, in standard deviations.

Ranks alone (reciprocal rank fusion) throw away how sure each half is: docs/evaluation.md has both, measured.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev

Scores = Mapping[str, float]
"""Scores of the hits by key."""


def fuse(parts: Sequence[Scores], candidates: int, limit: int) -> list[tuple[str, float]]:
    """Returns the best keys with their mean standard score, best first; of equal ones, first what more parts brought.

    A hit that a part did not bring counts there as its worst one, or as 0 where the part came short:
    then it has no word in common with the query.

    >>> fuse([{"a": 0.9, "b": 0.1}, {"b": 12.0}], 2, 1)
    [('b', 0.0)]

    Args:
        parts: Hits of each kind of search.
        candidates: Hits that each was asked for.
        limit: Keys at most.
    """
    keys = sorted({key for part in parts for key in part})
    columns = [standardise([part.get(key, _missing(part, candidates)) for key in keys]) for part in parts]
    fused = [(key, fmean(scores)) for key, *scores in zip(keys, *columns, strict=True)]
    brought = Counter(key for part in parts for key in part)
    return sorted(fused, key=lambda item: (-round(item[1], 9), -brought[item[0]]))[:limit]


def standardise(scores: Sequence[float]) -> list[float]:
    """Returns how many standard deviations each score is above their mean; 0 where all are equal."""
    if not scores:
        return []
    mean, deviation = fmean(scores), pstdev(scores)
    return [(score - mean) / deviation if deviation else 0.0 for score in scores]


def _missing(part: Scores, candidates: int) -> float:
    return min(part.values()) if len(part) >= candidates else 0.0
