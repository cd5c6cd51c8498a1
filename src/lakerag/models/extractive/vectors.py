"""Embeddings of questions and pieces; those of pieces are kept, for the same passages are read again and again."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from lakerag.models.base import Embedder, Tokenizer
from lakerag.records import Vectors

KEPT = 16_384
"""Pieces whose vectors are kept: 25 MB with 384 numbers each."""


class PieceVectors:
    """Embeds texts, each distinct one once; used by several threads.

    Args:
        embedder: Embeds; a text over its limit is read from its start.
        kept: Pieces to keep, those that were read last.
    """

    def __init__(self, embedder: Embedder, kept: int = KEPT) -> None:
        self._embedder = embedder
        self._kept = kept
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, questions: Sequence[str], pieces: Sequence[str]) -> dict[str, Vectors]:
        """Returns the (dimension,) vector of every text; what is not kept is embedded in one call."""
        with self._lock:
            known = {text: self._vectors[text] for text in pieces if text in self._vectors}
        new = [text for text in dict.fromkeys([*questions, *pieces]) if text not in known]
        if new:
            limit = self._embedder.tokenizer
            known |= dict(zip(new, self._embedder.embed([shorten(text, limit) for text in new]), strict=True))
        with self._lock:
            for text in pieces:
                # A row of its own: a view would keep the whole batch.
                self._vectors.setdefault(text, known[text].copy())
                self._vectors.move_to_end(text)
            while len(self._vectors) > self._kept:
                self._vectors.popitem(last=False)
        return known


def shorten(text: str, tokenizer: Tokenizer) -> str:
    """Returns the text up to the embedder's limit."""
    if len(text.encode()) <= tokenizer.max_tokens:  # a token is a byte at least
        return text
    spans = tokenizer.spans(text)
    return text if len(spans) <= tokenizer.max_tokens else text[: spans[tokenizer.max_tokens - 1][1]]
