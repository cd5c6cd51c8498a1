"""Checks what a draft's sentences rest on and gives them citation numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from lakerag.models.sentences import cut_into_pieces
from lakerag.rag.joining import chunk_at
from lakerag.rag.support import SupportCheck, find_quote, overlap
from lakerag.records import Citation, Draft, Passage, Prompt, Sentence


@dataclass(frozen=True, slots=True)
class Cited:
    """What is left of a draft once its citations are checked."""

    text: str
    """The supported sentences, each followed by its numbers; empty where none is supported."""
    parts: tuple[str, ...]
    """The text in one part a sentence; joined they are the text."""
    citations: tuple[Citation, ...]
    dropped: int
    """Sentences left out because no passage supports them."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A part of a passage that a sentence rests on."""

    passage: Passage
    start: int
    """First character in the passage's text."""
    end: int


def cite(drafts: Sequence[Draft], prompts: Sequence[Prompt], check: SupportCheck) -> list[Cited]:
    """Returns the checked drafts, in their order.

    A sentence that a passage says word for word cites the words; otherwise it cites the whole
    passages that support it, and is dropped where none does.

    Args:
        drafts: One a prompt.
        prompts: What the drafts were written from.
        check: Asked once, for all sentences that are no quotations.
    """
    claims = [
        (sentence, prompt, _claimed(sentence, prompt))
        for draft, prompt in zip(drafts, prompts, strict=True)
        for sentence in draft.sentences
    ]
    quoted = [_quotations(sentence, passages, prompt.question) for sentence, prompt, passages in claims]
    pairs = [
        (sentence.text, passage.text)
        for (sentence, _, passages), places in zip(claims, quoted, strict=True)
        if not places
        for passage in passages
    ]
    verdicts = iter(check.supported(pairs))
    places = iter(
        [
            found or [_Place(p, 0, len(p.text)) for p in passages if next(verdicts)]
            for (_, _, passages), found in zip(claims, quoted, strict=True)
        ]
    )
    return [_number([(sentence.text, next(places)) for sentence in draft.sentences]) for draft in drafts]


def _claimed(sentence: Sentence, prompt: Prompt) -> list[Passage]:
    """Returns the passages that a sentence names; all where it names none."""
    places = sentence.passages or range(len(prompt.passages))
    return [prompt.passages[place] for place in places]


def _quotations(sentence: Sentence, passages: Sequence[Passage], question: str) -> list[_Place]:
    """Returns where the passages say the sentence; only the best of them where it named none."""
    places = [
        max((_widen(passage, *span) for span in spans), key=lambda place: overlap(question, _words(place)))
        for passage in passages
        if (spans := find_quote(sentence.text, passage.text) or find_quote(sentence.text.rstrip(" .!?"), passage.text))
    ]
    return places if sentence.passages else places[:1]


def _widen(passage: Passage, start: int, end: int) -> _Place:
    """Returns the sentence around a few quoted words, or the quotation itself where it is longer."""
    for piece in cut_into_pieces(passage.text):
        if piece.start <= start and end <= piece.end:
            return _Place(passage, piece.start, piece.end)
    return _Place(passage, start, end)


def _words(place: _Place) -> str:
    return place.passage.text[place.start : place.end]


def _number(sentences: Sequence[tuple[str, Sequence[_Place]]]) -> Cited:
    """Numbers the places from 1 in the order of their first use and lays the sentences together."""
    numbers: dict[tuple[str, int, int], int] = {}
    citations: list[Citation] = []
    parts: list[str] = []
    for said, places in sentences:
        marks = ""
        for place in places:
            key = (place.passage.chunk_id, place.start, place.end)
            if key not in numbers:
                numbers[key] = len(numbers) + 1
                citations.append(_citation(numbers[key], place))
            marks += f"[{numbers[key]}]"
        if places:
            parts.append(_gap("".join(parts)) + said.strip() + _gap(said.strip()) + marks)
    return Cited("".join(parts), tuple(parts), tuple(citations), sum(not places for _, places in sentences))


def _gap(before: str) -> str:
    """Returns what stands between a text and what follows: a line break after a block (code, a list)."""
    if not before:
        return ""
    return "\n" if "\n" in before else " "


def _citation(n: int, place: _Place) -> Citation:
    passage = place.passage
    chunk = chunk_at(passage, passage.start + place.start)
    return Citation(
        n=n,
        chunk_id=chunk.chunk_id,
        doc_id=passage.doc_id,
        path=passage.path,
        title=passage.title,
        heading=passage.heading,
        excerpt=_words(place),
        start=passage.start + place.start,
        end=passage.start + place.end,
        score=passage.score,
        page=chunk.page,
        alternates=passage.alternates,
    )
