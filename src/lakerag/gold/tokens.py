"""Where the embedder's tokens begin in a text, at the speed of a dictionary.

Where a tokenizer parts texts at white space before anything else, the pieces of a word are
the same wherever it stands: each word is tokenized once a process, and most words of a
corpus are few.
"""

from collections.abc import Iterable
from itertools import chain

import numpy as np

from lakerag.models.base import Tokenizer

MAX_WORDS = 2**18
"""Words remembered; then all are forgotten, which bounds the memory."""

_SEPARATORS = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
"""White space to Python, control characters to tokenizers, which drop them."""

_SPACES = np.zeros(0x3002, dtype=bool)
_SPACES[[code for code in range(0x3001) if chr(code).isspace()]] = True


class TokenStarts:
    """Tokens of texts by the embedder's own tokenizer.

    Args:
        tokenizer: The embedder's own; its attribute `parts_at_spaces`, where it has one and it is true,
            says that words can be remembered.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._by_word = bool(getattr(tokenizer, "parts_at_spaces", False))
        self._words: dict[str, tuple[int, ...]] = {}

    def of(self, text: str) -> list[int]:
        """Returns the first character of every token, in order."""
        if not self._remembers(text):
            return [start for start, _ in self._tokenizer.spans(text)]
        words = text.split()
        self._learn(set(words))
        pieces = [self._words[word] for word in words]
        counts = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
        within = np.fromiter(chain.from_iterable(pieces), dtype=np.int64, count=int(counts.sum()))
        starts: list[int] = (np.repeat(_word_starts(text), counts) + within).tolist()
        return starts

    def count(self, text: str) -> int:
        """Returns the number of tokens."""
        if not self._remembers(text):
            return len(self._tokenizer.spans(text))
        words = text.split()
        self._learn(set(words))
        return sum(len(self._words[word]) for word in words)

    def _remembers(self, text: str) -> bool:
        return self._by_word and not any(separator in text for separator in _SEPARATORS)

    def _learn(self, words: Iterable[str]) -> None:
        """Tokenizes the words that are new, all in one call."""
        unknown = [word for word in words if word not in self._words]
        if not unknown:
            return
        if len(self._words) + len(unknown) > MAX_WORDS:
            self._words.clear()
            unknown = list(words)
        starts = iter([start for start, _ in self._tokenizer.spans(" ".join(unknown))])
        at = 0
        start = next(starts, None)
        for word in unknown:
            end = at + len(word)
            pieces = []
            while start is not None and start < end:
                pieces.append(start - at)
                start = next(starts, None)
            self._words[word] = tuple(pieces)
            at = end + 1


def _word_starts(text: str) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Returns the first character of every word of `text.split()`."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    space = _SPACES[np.minimum(codes, 0x3001)]
    before = np.concatenate(([True], space[:-1]))
    return np.flatnonzero(before & ~space)
