"""Chunk boundaries: how much of what a question asks for comes back, and how much else.

Positions are pairs of document and character; sets of them are kept as spans. The metrics
follow Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean

from lakerag.evaluation.means import Scores, share

K = 5
"""Passages that are retrieved for a question."""
METRICS = ("span_recall@5", "span_precision@5", "span_iou@5")
INDEX_METRICS = ("boundary_integrity", "mean_chunk_chars")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters of a document."""

    path: str
    start: int
    end: int
    """One past the last character."""

    @property
    def chars(self) -> int:
        return self.end - self.start


def union(spans: Iterable[Span]) -> list[Span]:
    """Returns disjoint spans over the same positions, in order."""
    merged: list[Span] = []
    for span in sorted(spans):
        last = merged[-1] if merged else None
        if last and last.path == span.path and span.start <= last.end:
            merged[-1] = Span(last.path, last.start, max(last.end, span.end))
        else:
            merged.append(span)
    return merged


def size(spans: Iterable[Span]) -> int:
    """Returns the number of distinct positions."""
    return sum(span.chars for span in union(spans))


def common(left: Collection[Span], right: Collection[Span]) -> int:
    """Returns the number of distinct positions that are in both."""
    return size(left) + size(right) - size([*left, *right])


def score_spans(references: Collection[Span], retrieved: Collection[Span]) -> dict[str, float]:
    """Returns the metrics of one question, R being the positions of its references, G those retrieved.

    Recall: |R and G| / |R|. Precision: |R and G| / length, the chunks' lengths added up, so that
    text retrieved twice counts twice. IoU: |R and G| / (|R| + length - |R and G|).

    Args:
        references: At least one character.
        retrieved: The chunks that came back.
    """
    found, wanted = common(references, retrieved), size(references)
    length = sum(span.chars for span in retrieved)
    return {
        "span_recall@5": found / wanted,
        "span_precision@5": share(found, length) or 0.0,
        "span_iou@5": found / (wanted + length - found),
    }


def score_index(references: Sequence[Span], chunks: Collection[Span]) -> Scores:
    """Returns what needs no retrieval.

    Boundary integrity: references that lie wholly inside at least one chunk / references.
    Mean chunk chars: characters of a chunk.
    """
    by_path: dict[str, list[Span]] = {}
    for chunk in chunks:
        by_path.setdefault(chunk.path, []).append(chunk)
    whole = sum(_inside(reference, by_path.get(reference.path, [])) for reference in references)
    return {
        "boundary_integrity": share(whole, len(references)),
        "mean_chunk_chars": mean(chunk.chars for chunk in chunks) if chunks else None,
    }


def _inside(reference: Span, chunks: Iterable[Span]) -> bool:
    return any(chunk.start <= reference.start and reference.end <= chunk.end for chunk in chunks)
