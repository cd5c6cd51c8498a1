"""Which retrieved passages are worth showing: repeats collapsed, variety where it is wanted."""

from collections import Counter
from collections.abc import Sequence
from math import sqrt

from lakerag.models.extractive.words import rarity, split_words, stem
from lakerag.records import Passage


def collapse(passages: Sequence[Passage]) -> list[Passage]:
    """Returns the passages without those that say word for word what a better one says, white space and case aside."""
    first: dict[str, Passage] = {}
    for passage in passages:
        first.setdefault(" ".join(passage.text.casefold().split()), passage)
    return list(first.values())


def diversify(passages: Sequence[Passage], top_k: int, weight: float) -> list[Passage]:
    """Returns `top_k` passages by maximal marginal relevance; the first ones where the weight is 0.

    Relevance is the score between the worst passage's, 0, and the best one's, 1; likeness the
    cosine of the passages' words, weighed by their rarity.
    Carbonell and Goldstein, "The use of MMR", SIGIR 1998.

    Args:
        passages: Best first.
        top_k: Passages at most.
        weight: How much the likeness to a better passage counts against one, 0 to 1.
    """
    if weight == 0 or len(passages) < 2:
        return list(passages[:top_k])
    worst, best = passages[-1].score, passages[0].score
    relevance = [(passage.score - worst) / (best - worst or 1.0) for passage in passages]
    words = [_weights(passage) for passage in passages]
    left, chosen = list(range(len(passages))), list[int]()
    nearest = [0.0] * len(passages)
    while left and len(chosen) < top_k:
        pick = max(left, key=lambda n: (1 - weight) * relevance[n] - weight * nearest[n])
        chosen.append(pick)
        left.remove(pick)
        for n in left:
            nearest[n] = max(nearest[n], _cosine(words[n], words[pick]))
    return [passages[n] for n in chosen]


def _weights(passage: Passage) -> dict[str, float]:
    counted = Counter(map(stem, split_words(passage.text)))
    return {word: n * rarity(word) for word, n in counted.items()}


def _cosine(a: dict[str, float], b: dict[str, float]) -> float:
    shared = sum(weight * b[word] for word, weight in a.items() if word in b)
    length = sqrt(sum(w * w for w in a.values()) * sum(w * w for w in b.values()))
    return shared / length if length else 0.0
