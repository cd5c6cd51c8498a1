"""Document retrieval: recall, reciprocal rank and discounted gain over ranked documents.

Relevance is binary. nDCG follows Järvelin and Kekäläinen, "Cumulated gain-based evaluation of
IR techniques" (2002), with the discount log2(rank + 1).
"""

import math
from collections.abc import Collection, Iterable, Sequence

DEPTH = 10
"""Ranks that count for reciprocal rank and discounted gain."""
METRICS = ("recall@1", "recall@5", "recall@10", "mrr@10", "ndcg@10")


def rank_documents(paths: Iterable[str]) -> list[str]:
    """Returns the documents of ranked chunks; a document stands where its best chunk does.

    Examples:
        >>> rank_documents(["b", "a", "b", "c"])
        ['b', 'a', 'c']
    """
    return list(dict.fromkeys(paths))


def recall(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Returns the share of the relevant documents that are among the first k."""
    return len(set(ranking[:k]) & set(relevant)) / len(relevant)


def reciprocal_rank(ranking: Sequence[str], relevant: Collection[str], k: int = DEPTH) -> float:
    """Returns 1 / rank of the first relevant document, 0 if it is not among the first k."""
    return next((1 / rank for rank, path in enumerate(ranking[:k], 1) if path in relevant), 0.0)


def ndcg(ranking: Sequence[str], relevant: Collection[str], k: int = DEPTH) -> float:
    """Returns the sum of 1 / log2(rank + 1) over relevant documents, divided by the best that can be."""
    gain = sum(_discount(rank) for rank, path in enumerate(ranking[:k], 1) if path in relevant)
    return gain / sum(_discount(rank) for rank in range(1, min(len(relevant), k) + 1))


def _discount(rank: int) -> float:
    return 1 / math.log2(rank + 1)


def score_ranking(ranking: Sequence[str], relevant: Collection[str]) -> dict[str, float]:
    """Returns the metrics of one question.

    Args:
        ranking: Distinct documents, best first.
        relevant: At least one document, each once.
    """
    return {
        "recall@1": recall(ranking, relevant, 1),
        "recall@5": recall(ranking, relevant, 5),
        "recall@10": recall(ranking, relevant, 10),
        "mrr@10": reciprocal_rank(ranking, relevant),
        "ndcg@10": ndcg(ranking, relevant),
    }
