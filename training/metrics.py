"""SQuAD's normalisation and scores (Rajpurkar et al. 2016)."""

import re
import string
from collections import Counter
from collections.abc import Iterable

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> list[str]:
    """Returns the words that count: lower case, no punctuation, no articles."""
    words = re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(_PUNCTUATION))
    return words.split()


def f1(answer: str, gold: str) -> float:
    """Returns the harmonic mean of precision and recall over the bags of words."""
    ours, theirs = normalise(answer), normalise(gold)
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs)) if common else float(ours == theirs)


def best_f1(answer: str, golds: Iterable[str]) -> float:
    return max(f1(answer, gold) for gold in golds)


def holds(answer: str, golds: Iterable[str]) -> bool:
    """Tells whether a gold answer's words stand in the answer in one piece."""
    ours = f" {' '.join(normalise(answer))} "
    return any(f" {' '.join(normalise(gold))} " in ours for gold in golds)
