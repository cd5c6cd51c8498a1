"""Whether a passage supports a sentence: by its very words, or by overlap and similarity."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lakerag.models.base import Embedder
from lakerag.models.extractive.words import stem

MIN_OVERLAP = 0.6
"""Share of a sentence's content words that the passage holds at least."""

MIN_SIMILARITY = 0.5
"""Cosine of sentence and passage at least."""

NEGATIONS = frozenset(("cannot", "never", "no", "none", "nor", "not", "without"))

_WORD = re.compile(r"\w+")
_FUNCTION_WORDS = frozenset(
    _WORD.findall(
        """a an and are as at be been but by can could did do does for from had has have he her his how i if in into
        is it its may might more most no not of on or our shall she should so such than that the their them then there
        these they this those to was we were what when where which while who whom whose why will with would you your"""
    )
)
_UNSPACED_SCRIPTS = "\u0e00"
"""From Thai on, the scripts of Unicode mostly write without spaces between words."""


def find_quote(quote: str, text: str) -> list[tuple[int, int]]:
    r"""Returns the (start, end) of every place where a text says the quote, never in the middle of a word.

    Where it does not say it to the letter, case and white space do not matter.

    >>> find_quote("in 10 days", "Done In 10\n  days, not in 10 dayshifts.")
    [(5, 17)]
    >>> find_quote("10", "in 1066")
    []
    """
    quote = quote.strip()
    if not quote:
        return []
    return _exact(quote, text) or _loose(quote, text)


def overlap(sentence: str, passage: str) -> float:
    """Returns the share of the sentence's content words that the passage holds, 0 to 1; 0 where it has none.

    Numbers and negations of the sentence must all be there, else it is 0: they turn a statement round.
    """
    said, known = _words(sentence), _words(passage)
    decisive = {word for word in said if word in NEGATIONS or any(c.isdigit() for c in word)}
    content = _stems(said)
    if not content or not decisive <= known:
        return 0.0
    return len(content & _stems(known)) / len(content)


class SupportCheck:
    """Checks sentences that are no quotations against the passages that they cite.

    Args:
        embedder: Compares by meaning.
        min_overlap: Share of the sentence's content words in the passage, 0 to 1.
        min_similarity: Cosine of the two, -1 to 1.
    """

    def __init__(
        self, embedder: Embedder, min_overlap: float = MIN_OVERLAP, min_similarity: float = MIN_SIMILARITY
    ) -> None:
        self._embedder = embedder
        self._min_overlap = min_overlap
        self._min_similarity = min_similarity

    def supported(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Returns for every (sentence, passage text) whether the passage supports the sentence; one embedding call."""
        count, limit = self._embedder.tokenizer.count, self._embedder.tokenizer.max_tokens
        likely = [
            (sentence, passage)
            for sentence, passage in pairs
            if overlap(sentence, passage) >= self._min_overlap and max(count(sentence), count(passage)) <= limit
        ]
        if not likely:
            return [False] * len(pairs)
        texts = sorted({text for pair in likely for text in pair})
        vectors = dict(zip(texts, self._embedder.embed(texts), strict=True))
        close = {pair for pair in likely if _cosine(vectors[pair[0]], vectors[pair[1]]) >= self._min_similarity}
        return [pair in close for pair in pairs]


def _exact(quote: str, text: str) -> list[tuple[int, int]]:
    """Finds without a regular expression, which would cost milliseconds to compile for every quotation."""
    spans = []
    start = text.find(quote)
    while start >= 0:
        end = start + len(quote)
        if not _joins(text, start) and not _joins(text, end):
            spans.append((start, end))
        start = text.find(quote, end)
    return spans


def _loose(quote: str, text: str) -> list[tuple[int, int]]:
    pattern = re.compile(r"\s+".join(re.escape(word) for word in quote.split()), re.IGNORECASE)
    spans = (match.span() for match in pattern.finditer(text))
    return [(start, end) for start, end in spans if not _joins(text, start) and not _joins(text, end)]


def _joins(text: str, place: int) -> bool:
    """Returns whether a place is in the middle of a word."""
    around = text[place - 1 : place + 1] if place else ""
    return len(around) == 2 and all(c.isalnum() and c < _UNSPACED_SCRIPTS for c in around)


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _stems(words: set[str]) -> set[str]:
    return {stem(word) for word in words - _FUNCTION_WORDS}


def _cosine(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
