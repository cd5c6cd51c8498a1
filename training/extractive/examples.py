"""Questions with retrieved passages and the pieces that answer them, or none.

Sources: single sentences with the questions that people asked about them (`questions.jsonl.xz`), laid together
to passages, and search-engine questions with their passages (`natural_qa.jsonl.xz`). A part of the questions
has its own passage left out of the index, so that nothing answers.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lakerag.models.extractive.reading import Reading
from lakerag.models.extractive.words import split_words
from lakerag.models.sentences import Piece
from lakerag.records import Passage, Prompt, Vectors
from training.corpus import read_lines
from training.extractive.word_rarity import paragraphs

RETRIEVED = 3
POOL = 190
"""Passages of an index that one question is asked against."""
LEFT_OUT = 0.2
"""Share of the questions whose own passage is not in the index."""

Embed = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Example:
    """A question as the generator meets it."""

    reading: Reading
    answers: tuple[bool, ...]
    """For every piece, whether it holds the answer."""


@dataclass(frozen=True, slots=True)
class Case:
    """How often a word stands with a capital and without, inside paragraphs."""

    capital: Counter[str]
    small: Counter[str]

    @classmethod
    def of(cls, texts: Iterator[str]) -> "Case":
        capital, small = Counter[str](), Counter[str]()
        for text in texts:
            for word in split_words(text)[1:]:
                (capital if word[0].isupper() else small)[word.lower()] += 1
        return cls(capital, small)

    def restore(self, text: str) -> str:
        """Gives lower-cased text its capitals back: words never seen are taken for names."""
        parts = re.split(r"([^\W\d_]+)", text)
        first = next((index for index, part in enumerate(parts) if part[:1].isalpha()), None)
        return "".join(
            part[:1].upper() + part[1:] if index == first or self._is_name(part) else part
            for index, part in enumerate(parts)
        )

    def _is_name(self, word: str) -> bool:
        seen = word in self.capital or word in self.small
        return word[:1].isalpha() and len(word) > 1 and (not seen or self.capital[word] > self.small[word])


def asked_sentences(path: Path, case: Case, embed: Embed, rng: random.Random) -> list[Example]:
    """Lays three to six neighbouring sentences together to a passage and asks twice, against different pools."""
    rows = list(read_lines(path))
    sentences = list(dict.fromkeys(row["sentence"] for row in rows))
    texts, home = _passages_of(sentences, case, rng)
    examples = []
    for _ in range(2):
        order = rng.sample(range(len(texts)), len(texts))
        pools = [order[start : start + POOL] for start in range(0, len(order), POOL)]
        pool_of = {number: pool for pool in pools for number in pool}
        questions = [_written(row["question"], case, rng) for row in rows]
        passages, asked = embed(texts), embed(questions)
        for row, question, vector in zip(rows, questions, asked, strict=True):
            own = home[row["sentence"]]
            left_out = rng.random() < LEFT_OUT
            pool = [number for number in pool_of[own] if not (left_out and number == own)]
            found = _nearest(pool, passages, vector)
            sentence = case.restore(row["sentence"])
            examples.append(
                _example(question, found, texts, own, lambda text, said=sentence: text in said or said in text)
            )
    return examples


def searched_questions(path: Path, embed: Embed, rng: random.Random) -> list[Example]:
    """Asks the search-engine questions against all their passages."""
    rows = list(read_lines(path))
    texts = [row["passage"] for row in rows]
    passages, asked = embed(texts), embed([row["question"] for row in rows])
    examples = []
    for own, row in enumerate(rows):
        left_out = rng.random() < LEFT_OUT
        pool = [n for n, other in enumerate(rows) if not (left_out and other["title"] == row["title"])]
        found = _nearest(pool, passages, asked[own])
        examples.append(
            _example(row["question"], found, texts, own, lambda text, row=row: any(a in text for a in row["answers"]))
        )
    return examples


def case_of(docs: Path) -> Case:
    return Case.of(paragraphs(docs))


def _passages_of(sentences: list[str], case: Case, rng: random.Random) -> tuple[list[str], dict[str, int]]:
    texts: list[str] = []
    home: dict[str, int] = {}
    start = 0
    while start < len(sentences):
        block = sentences[start : start + rng.choice([3, 4, 5, 6])]
        home |= dict.fromkeys(block, len(texts))
        texts.append(" ".join(map(case.restore, block)))
        start += len(block)
    return texts, home


def _written(question: str, case: Case, rng: random.Random) -> str:
    """Some people write questions without capitals."""
    return case.restore(question) if rng.random() < 0.8 else question


def _nearest(pool: list[int], passages: Vectors, question: Vectors) -> list[int]:
    return [pool[index] for index in np.argsort(-(passages[pool] @ question), kind="stable")[:RETRIEVED]]


def _example(
    question: str, found: list[int], texts: list[str], own: int, holds_answer: Callable[[str], bool]
) -> Example:
    passages = tuple(Passage(str(n), str(n), "", "", "", texts[n], 0, len(texts[n]), 0.0) for n in found)
    reading = Reading.of(Prompt(question, passages, "", 0, 0))

    def answers(number: int, piece: Piece) -> bool:
        return found[number] == own and holds_answer(texts[own][piece.start : piece.end])

    return Example(reading, tuple(answers(place.passage, place.piece) for place in reading.pieces))
