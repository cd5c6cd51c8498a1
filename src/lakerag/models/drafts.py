"""Takes a generated answer apart into sentences and the passages that they cite."""

import re
from collections.abc import Sequence

from lakerag.models.sentences import Piece, cut_into_pieces
from lakerag.records import Draft, Sentence

_MARK = re.compile(r"\s*(?<![\w`])\[(\d+(?:\s*,\s*\d+)*)\]")
"""`[2]` or `[1, 3]`, with the white space before; `rows[2]` is code, not a citation."""


def read_draft(output: str, confidence: float, passages: int, unanswerable: Sequence[str]) -> Draft:
    """Returns the draft that a text-to-text model wrote.

    Args:
        output: Sentences with citation marks `[n]`, n from 1, behind a sentence or, throughout, before it.
        confidence: Probability of the output.
        passages: How many were in the prompt; marks with higher numbers are dropped.
        unanswerable: Outputs that say that nothing answers.

    >>> read_draft("It is 324 m tall. [2]", 0.9, 3, ()).sentences
    (Sentence(text='It is 324 m tall.', passages=(1,)),)
    """
    if output.strip(" .\n").casefold() in {words.casefold() for words in unanswerable}:
        return abstention("the model says that no passage answers", confidence)
    sentences = _cited_sentences(output, passages)
    if not sentences:
        return abstention("the model wrote nothing", confidence)
    return Draft(sentences, confidence, abstained=False)


def abstention(reason: str, confidence: float = 0.0) -> Draft:
    """Returns a draft without an answer."""
    return Draft((), confidence, abstained=True, reason=reason)


def _cited_sentences(output: str, passages: int) -> tuple[Sentence, ...]:
    text, marks = _take_marks(output)
    pieces = cut_into_pieces(text)
    cited: list[dict[int, None]] = [{} for _ in pieces]
    leading = bool(marks) and marks[0][0] == 0
    for position, number in marks:
        if pieces and 1 <= number <= passages:
            cited[_owner(position, pieces, leading)][number - 1] = None
    lone = (0,) if passages == 1 else ()
    return tuple(
        Sentence(text[piece.start : piece.block_end], tuple(indexes) or lone)
        for piece, indexes in zip(pieces, cited, strict=True)
    )


def _owner(position: int, pieces: Sequence[Piece], leading: bool) -> int:
    """Returns the index of the piece that a mark stands in or behind; where marks lead, stands in or before."""
    if leading:
        behind = sum(piece.block_end <= position for piece in pieces)
        return min(behind, len(pieces) - 1)
    return max(sum(piece.start < position for piece in pieces) - 1, 0)


def _take_marks(output: str) -> tuple[str, list[tuple[int, int]]]:
    """Returns the output without its marks, and (position in that text, number) of each."""
    text, marks, end = "", [], 0
    for match in _MARK.finditer(output):
        text += output[end : match.start()]
        marks += [(len(text), int(number)) for number in match[1].split(",")]
        end = match.end()
    return text + output[end:], marks
