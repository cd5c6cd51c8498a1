"""The text layout that the grounded T5 was trained on: what it reads, what it writes.

It reads `question: How tall is it? <p1> The tower ... <p2> ...` and writes `<p1> 324 metres`, or `<none>` when no
passage answers. The mark comes first, so the first decoder step is a choice among the passages and `<none>`: its
probabilities are the citation and the confidence, before a word of the answer is written.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_PASSAGES = 9
MAX_INPUT_TOKENS = 1024
"""Trained on inputs of up to 704 tokens; relative positions carry it further, with less certainty."""

NOTHING = "<none>"
MARKS = tuple(f"<p{number}>" for number in range(1, MAX_PASSAGES + 1))
SPECIAL_WORDS = (*MARKS, NOTHING)

_MARK = re.compile(r"<(p[1-9]|none)>")
_OUTPUT = re.compile(r"\s*<p([1-9])>\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model wrote, taken apart."""

    answer: str
    citation: int | None
    """Number of the passage, from 1; None when the model wrote that nothing answers or no valid mark."""


def neutralise(text: str) -> str:
    """Returns `text` in which no mark of the layout can be read.

    >>> neutralise("see <p2> here")
    'see p2 here'
    """
    return _MARK.sub(r"\1", text)


def render(question: str, passages: Sequence[str]) -> str:
    """Returns the model's input.

    Raises:
        ValueError: There are no passages, or more than `MAX_PASSAGES`.

    >>> render("How tall?", ["It is 324 m tall.", "Paris."])
    'question: How tall? <p1> It is 324 m tall. <p2> Paris.'
    """
    if not 1 <= len(passages) <= MAX_PASSAGES:
        raise ValueError(f"expected 1 to {MAX_PASSAGES} passages, found {len(passages)}: pass fewer passages")
    numbered = " ".join(f"{mark} {neutralise(text)}" for mark, text in zip(MARKS, passages, strict=False))
    return f"question: {neutralise(question)} {numbered}"


def write(answer: str, citation: int | None) -> str:
    """Returns the output that the model is trained to write; `citation` None stands for `<none>`."""
    return NOTHING if citation is None else f"{MARKS[citation - 1]} {neutralise(answer)}"


def parse(output: str) -> Reading:
    """Takes an output apart; anything without a leading mark reads as "nothing answers".

    >>> parse("<p2> 324 m")
    Reading(answer='324 m', citation=2)
    >>> parse("<none>")
    Reading(answer='', citation=None)
    """
    match = _OUTPUT.match(output)
    if match is None or not match[2].strip():
        return Reading("", None)
    return Reading(match[2].strip(), int(match[1]))
