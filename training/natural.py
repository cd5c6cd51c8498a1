"""Questions that people asked: the search-engine questions with spans, and the questions about single sentences."""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from training.corpus import read_lines, squeeze, stable_fraction, word_list

HELD_OUT_TITLES = 0.23
"""Share of the search-engine questions kept for evaluation, by title: about 150."""
HELD_OUT_SENTENCES = 0.075
"""Share of the sentences kept for evaluation: the last ones, which come from articles of their own."""

STOP_WORDS = word_list("stop_words")
LOOSE_START = word_list("loose_start")


@dataclass(frozen=True, slots=True)
class Example:
    """A question about a passage; no answers means that the passage does not answer it."""

    question: str
    passage: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SentenceQuestion:
    """A question about the sentence at `position` of a text; the answer's span is not known."""

    question: str
    position: int
    marked: str | None = None
    """The answer, where somebody marked it."""


def search_questions(folder: Path, *, held_out: bool) -> list[Example]:
    """Reads the search-engine questions; the shortest answer comes first."""
    rows = read_lines(folder / "natural_qa.jsonl.xz")
    return [
        Example(row["question"], row["passage"], tuple(sorted(row["answers"], key=len)))
        for row in rows
        if (stable_fraction("title", row["title"]) < HELD_OUT_TITLES) == held_out
    ]


def sentence_questions(folder: Path, marks: Path | None = None) -> tuple[list[str], list[SentenceQuestion]]:
    """Reads the sentences, each once and in the order of their articles, and the questions about them.

    Args:
        folder: The recipe's texts.
        marks: Lines of question number, start and end of its answer in the sentence.
    """
    spans = _read_marks(marks) if marks else {}
    positions: dict[str, int] = {}
    questions = []
    for number, row in enumerate(read_lines(folder / "questions.jsonl.xz")):
        position = positions.setdefault(row["sentence"], len(positions))
        marked = row["sentence"][slice(*spans[number])] if number in spans else None
        questions.append(SentenceQuestion(row["question"], position, marked))
    return list(positions), questions


def _read_marks(path: Path) -> dict[int, tuple[int, int]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return {int(row["question"]): (int(row["start"]), int(row["end"])) for row in csv.DictReader(lines)}


def first_held_out(sentences: list[str]) -> int:
    """Returns the position of the first sentence that is kept for evaluation."""
    return int(len(sentences) * (1 - HELD_OUT_SENTENCES))


def window(sentences: list[str], position: int, *, before: int, after: int) -> str:
    """Returns the sentence with its neighbours, which mostly come from the same article."""
    return " ".join(sentences[max(0, position - before) : position + after + 1])


def content_words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if word not in STOP_WORDS}


def echoes(answer: str, question: str) -> bool:
    """Tells whether an answer repeats the question: then it is not what was asked for."""
    words = content_words(answer)
    return not words or len(words & content_words(question)) * 2 > len(words)


def trim(answer: str) -> str:
    """Drops the words at the start and the marks at the ends that people leave out of answers."""
    answer = answer.strip(" ,;:.\"'")
    words = answer.split(" ")
    while len(words) > 1 and words[0].lower() in LOOSE_START:
        words = words[1:]
    return " ".join(words)


class Truecaser:
    """Gives lower-cased text its capitals back, by how words stand in other texts; unknown words are taken as names."""

    def __init__(self, texts: Iterable[str]) -> None:
        cased: Counter[str] = Counter()
        for text in texts:
            cased.update(re.findall(r"(?<=[a-z,] )[A-Za-z][\w'-]*", text))
        best: dict[str, str] = {}
        for word, count in cased.items():
            key = word.lower()
            if key not in best or count > cased[best[key]]:
                best[key] = word
        self._best = best

    def restore(self, text: str) -> str:
        """Returns `text` with capitals; its length and its words stay the same."""
        restored = re.sub(r"[^\W\d_][\w'-]*", lambda match: self._cased(match[0]), text)
        return restored[:1].upper() + restored[1:]

    def _cased(self, word: str) -> str:
        stem, apostrophe, ending = word.partition("'")
        return self._best.get(stem.lower(), stem.capitalize() if len(stem) > 3 else stem) + apostrophe + ending


def restore_case(question: str, passage: str) -> str:
    """Writes the question's words as the passage writes them, and starts it with a capital."""
    forms: dict[str, str] = {}
    for word in re.findall(r"[\w'-]+", passage):
        if word.islower() or word.lower() not in forms:
            forms[word.lower()] = word.lower() if word.lower() in STOP_WORDS else word
    cased = re.sub(r"[\w'-]+", lambda match: forms.get(match[0], match[0]), squeeze(question))
    return cased[:1].upper() + cased[1:]
