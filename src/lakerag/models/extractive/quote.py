"""Chooses what to quote: the likeliest pieces first, whole, within a number of words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lakerag.models.extractive.reading import Place, Reading
from lakerag.models.sentences import Piece
from lakerag.records import Sentence

MIN_CHANCE = 0.003
"""A further piece less likely than this to hold the answer costs the reader more than it gives."""

MIN_CLAUSE_WORDS = 5
"""The start of a sentence that is shorter than this says too little to be quoted."""

_WORD = re.compile(r"\S+")
_CLAUSE_MARKS = (",", ";", ":", ")", "\u2013", "\u2014")


@dataclass(frozen=True, slots=True)
class Choice:
    """The quotations, best first, and the probability that they hold the answer."""

    sentences: tuple[Sentence, ...]
    confidence: float


def choose(reading: Reading, chances: npt.NDArray[np.float64], max_words: int) -> Choice:
    """Returns quotations of at most `max_words` words in all.

    A piece comes whole where it fits. The best is cut where the words end, its block after a whole line;
    a further one is cut after a clause, or left out.

    Args:
        reading: The pieces.
        chances: (pieces,), the probability of each to hold the answer.
        max_words: Words between white space.
    """
    quotes: list[tuple[Place, int]] = []
    left, confidence = max_words, 0.0
    for index in np.argsort(-chances, kind="stable"):
        place = reading.pieces[index]
        if (quotes and chances[index] < MIN_CHANCE) or _overlaps(place, quotes):
            continue
        text, piece = reading.text(place), place.piece
        end = _further_end(text, piece, left) if quotes else _first_end(text, piece, left)
        if end is not None:
            quotes.append((place, end))
            left -= len(text[piece.start : end].split())
            confidence += float(chances[index])
    return Choice(tuple(_quote(reading, place, end) for place, end in quotes), min(confidence, 1.0))


def _first_end(text: str, piece: Piece, max_words: int) -> int:
    """Returns the end of the piece with as many whole lines of its block as fit, or of its words that fit."""
    words = _word_ends(text, piece.start, piece.end)
    if len(words) > max_words:
        return words[max_words - 1]
    breaks = [match.start() for match in re.compile(r"\n|\Z").finditer(text, piece.end, piece.block_end)]
    fitting = [end for end in breaks if len(text[piece.start : end].split()) <= max_words]
    return piece.start + len(text[piece.start : max([piece.end, *fitting])].rstrip())


def _further_end(text: str, piece: Piece, max_words: int) -> int | None:
    """Returns the end of the whole piece, or of its clauses that fit; none where nothing useful fits."""
    if len(_word_ends(text, piece.start, piece.block_end)) <= max_words:
        return piece.block_end
    if piece.block_end > piece.end:  # "Run this:" without what to run is no answer
        return None
    fitting = _word_ends(text, piece.start, piece.end)[:max_words]
    clauses = [end for end in fitting[MIN_CLAUSE_WORDS - 1 :] if text.endswith(_CLAUSE_MARKS, piece.start, end)]
    return clauses[-1] if clauses else None


def _word_ends(text: str, start: int, end: int) -> list[int]:
    return [match.end() for match in _WORD.finditer(text, start, end)]


def _overlaps(place: Place, quotes: Sequence[tuple[Place, int]]) -> bool:
    return any(
        place.passage == other.passage and place.piece.start < end and other.piece.start < place.piece.block_end
        for other, end in quotes
    )


def _quote(reading: Reading, place: Place, end: int) -> Sentence:
    quote = reading.text(place)[place.piece.start : end]
    return Sentence(
        quote, (place.passage, *(other for other in place.repeats if quote in reading.passages[other].text))
    )
