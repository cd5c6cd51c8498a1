"""Averages that say nothing where there is nothing to average."""

from collections.abc import Iterable, Mapping, Sequence

Scores = dict[str, float | None]
"""Metrics by name; None where no question, answer or chunk counts towards them."""


def share(part: float, whole: float) -> float | None:
    """Returns `part / whole`; None where there is no whole."""
    return part / whole if whole else None


def means(scores: Sequence[Mapping[str, float]], names: Iterable[str]) -> Scores:
    """Returns the average of each name over the questions, every question counting the same."""
    return {name: share(sum(score[name] for score in scores), len(scores)) for name in names}
