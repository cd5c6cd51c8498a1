"""Step 6: the questions with their passages: a gold passage among its rivals, or rivals alone.

Rivals are the passages that the teacher finds nearest to the question: what a retriever would bring along, high in
overlap and without the answer. A row without its gold passage is to be answered with "nothing answers".
"""

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from lakerag.models.t5_grounded import layout
from training import tokenizer
from training.config import Mix, Recipe
from training.corpus import Document, cut_into_passages, is_held_out, read_documents, read_lines, squeeze, write_lines
from training.embed import embed, nearest
from training.natural import Truecaser, first_held_out, search_questions, sentence_questions
from training.rules import RuleQuestion
from training.rules import questions as rule_questions
from training.selftrain import surest
from training.streams import spread
from training.t5 import IGNORED
from training.transplant import PROSE
from training.writer import shown

LENGTHS = (352, 704)
"""Inputs are padded to one of these; longer ones are left out."""
OUTPUT = 64
CHARS_A_TOKEN = 3.2
RIVALS = 12
RIVAL_CHARS = 900
PASSAGES = (1, 2, 3, 3, 3, 4, 5)
SENTENCES_A_WINDOW = 5
RULES_A_PASSAGE = 3
TERMS_A_PASSAGE = 5
NATURAL_REPEATS = 8
ENCODED_AT_ONCE = 20_000
GROUPS = tuple(field.name for field in fields(Mix))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question whose answer stands in the passage `gold` of the pool."""

    kind: str
    question: str
    answer: str
    gold: int
    group: str
    """A field of `Mix`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One task; `citation` counts from 1 and is None where no passage answers."""

    kind: str
    question: str
    passages: list[str]
    answer: str
    citation: int | None
    group: str


class Pool:
    """All passages and all questions about them."""

    def __init__(self) -> None:
        self.passages: list[str] = []
        self.held_out: list[bool] = []
        self.asked: list[Asked] = []

    def add(self, text: str, *, held_out: bool) -> int:
        self.passages.append(text)
        self.held_out.append(held_out)
        return len(self.passages) - 1


def collect(recipe: Recipe) -> Pool:
    """Gathers the questions of every kind."""
    pool = Pool()
    _add_documents(pool, recipe)
    _add_sentence_questions(pool, recipe)
    _add_glossary(pool, recipe)
    for held_out in (False, True):
        for example in search_questions(recipe.texts, held_out=held_out):
            gold = pool.add(example.passage, held_out=held_out)
            for _ in range(1 if held_out else NATURAL_REPEATS):
                pool.asked.append(Asked("search", example.question, example.answers[0], gold, "search"))
    return pool


def _add_documents(pool: Pool, recipe: Recipe) -> None:
    written: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in read_lines(recipe.work / "asked.jsonl.xz"):
        written.setdefault((row["source"], row["path"], row["passage"]), []).append(row)
    documents = read_documents(recipe.texts / "docs.jsonl.xz", recipe.keep_sources)
    for document, passages in zip(documents, spread(_asked_by_rule, documents, recipe.processes), strict=True):
        held_out = is_held_out(document.source, document.path, recipe.held_out)
        for number, (text, by_rule) in enumerate(passages):
            gold = pool.add(text, held_out=held_out)
            pool.asked += [Asked(asked.kind, asked.question, asked.answer, gold, "rules") for asked in by_rule]
            group = "prose" if document.source.startswith(PROSE) else "written"
            for row in written.get((document.source, document.path, number), ()):
                pool.asked.append(Asked("written", row["question"], row["answer"], gold, group))


def _asked_by_rule(document: Document) -> list[tuple[str, list[RuleQuestion]]]:
    """Returns the passages of a document, each with a few of the questions that the rules ask about it."""
    pick = random.Random(document.path)
    passages = cut_into_passages(document)
    title = passages[0].headings[0] if passages and passages[0].headings else ""
    asked = [rule_questions(passage, title, pick) for passage in passages]
    few = [pick.sample(found, min(RULES_A_PASSAGE, len(found))) for found in asked]
    return [(shown(passage), found) for passage, found in zip(passages, few, strict=True)]


def _add_sentence_questions(pool: Pool, recipe: Recipe) -> None:
    """Puts the sentences together to windows, with capitals, and asks for the marks and the reader's surest guesses.

    Of the windows that are held out only the marks are asked for, once each.
    """
    texts, questions = sentence_questions(recipe.texts, recipe.marks)
    documents = read_documents(recipe.texts / "docs.jsonl.xz", recipe.keep_sources)
    caser = Truecaser(d.text for d in documents if not is_held_out(d.source, d.path, recipe.held_out))
    cased = [caser.restore(text) for text in texts]
    end = first_held_out(texts)
    starts = [*range(0, end, SENTENCES_A_WINDOW), *range(end, len(cased), SENTENCES_A_WINDOW)]
    windows: dict[int, int] = {}
    for start, stop in pairwise([*starts, len(cased)]):
        gold = pool.add(" ".join(cased[start:stop]), held_out=start >= end)
        windows.update(dict.fromkeys(range(start, stop), gold))
    guesses = list(read_lines(recipe.work / "guesses.jsonl"))
    floor = surest(recipe, [guess["sure"] for guess in guesses])
    for asked, guess in zip(questions, guesses, strict=True):
        said, held_out = asked.marked or guess["answer"], asked.position >= end
        if said and guess["sure"] >= floor and (asked.marked or not held_out):
            at = texts[asked.position].find(said)
            answer = cased[asked.position][at : at + len(said)]
            for _ in range(1 if held_out else NATURAL_REPEATS if asked.marked else NATURAL_REPEATS // 2):
                question = caser.restore(asked.question)
                pool.asked.append(Asked("sentence", question, answer, windows[asked.position], "sentences"))


def _add_glossary(pool: Pool, recipe: Recipe) -> None:
    rows = list(read_lines(recipe.texts / "glossary.jsonl.xz"))
    for start in range(0, len(rows), TERMS_A_PASSAGE):
        group = rows[start : start + TERMS_A_PASSAGE]
        held_out = is_held_out(group[0]["source"], group[0]["path"], recipe.held_out)
        gold = pool.add("\n".join(f"- {r['term']}: {r['meaning']}" for r in group), held_out=held_out)
        for row in group:
            pool.asked.append(Asked("glossary", f"What is {row['term']}?", row["meaning"], gold, "rules"))


def rows(recipe: Recipe, pool: Pool) -> Iterator[tuple[bool, Row]]:
    """Yields (is held out, task) for every question."""
    vectors = embed(recipe, pool.passages)
    queries = embed(recipe, [asked.question for asked in pool.asked])
    trainable = ~torch.tensor(pool.held_out, device=vectors.device)
    rivals = nearest(queries, vectors, RIVALS, allowed=trainable)
    pick = random.Random(recipe.seed)
    searched = [squeeze(text).lower() for text in pool.passages]
    for asked, near in zip(pool.asked, rivals, strict=True):
        said = squeeze(asked.answer).lower()
        others = [n for n in near.tolist() if n != asked.gold and said not in searched[n]]
        row = _row(recipe, pool, asked, others, pick)
        if row is not None:
            yield pool.held_out[asked.gold], row


def _row(recipe: Recipe, pool: Pool, asked: Asked, others: list[int], pick: random.Random) -> Row | None:
    answer = squeeze(asked.answer)
    answerable = pick.random() >= recipe.tasks.unanswerable
    wanted = pick.choice(PASSAGES)
    texts = [pool.passages[asked.gold]] if answerable else []
    budget = LENGTHS[-1] * CHARS_A_TOKEN - len(asked.question) - sum(map(len, texts))
    for number in pick.sample(others, len(others)):
        text = pool.passages[number][:RIVAL_CHARS]
        if len(texts) < wanted and len(text) < budget:
            texts.append(text)
            budget -= len(text)
    if not texts or budget < 0:
        return None
    pick.shuffle(texts)
    citation = texts.index(pool.passages[asked.gold]) + 1 if answerable else None
    question = _typed(asked.question, pick)
    return Row(asked.kind, question, texts, answer if answerable else "", citation, asked.group)


def _typed(question: str, pick: random.Random) -> str:
    """Writes some questions as people type them: without capitals, without the question mark."""
    if pick.random() < 0.15:
        question = question.lower()
    return question.rstrip("?") if pick.random() < 0.15 else question


def save_arrays(recipe: Recipe, tasks: list[Row], target: Path) -> None:
    """Tokenises tasks into arrays of two lengths: inputs_N and labels_N, int16, and groups_N, positions in `GROUPS`."""
    words = tokenizer.load(recipe)
    inputs = _encode(words, [layout.render(task.question, task.passages) for task in tasks])
    labels = _encode(words, [layout.write(task.answer, task.citation) for task in tasks])
    arrays, shorter = {}, 0
    for length in LENGTHS:
        fitting = [n for n, row in enumerate(inputs) if shorter < len(row) <= length and len(labels[n]) <= OUTPUT]
        arrays[f"inputs_{length}"] = _filled([inputs[n] for n in fitting], length, tokenizer.PAD)
        arrays[f"labels_{length}"] = _filled([labels[n] for n in fitting], OUTPUT, IGNORED)
        arrays[f"groups_{length}"] = np.array([GROUPS.index(tasks[n].group) for n in fitting], np.int8)
        shorter = length
        print(f"tasks of up to {length} tokens: {len(fitting)}", flush=True)
    np.savez(target, **arrays)


def _encode(words: Tokenizer, texts: list[str]) -> list[np.ndarray]:
    starts = range(0, len(texts), ENCODED_AT_ONCE)
    parts = (words.encode_batch_fast(texts[start : start + ENCODED_AT_ONCE]) for start in starts)
    return [np.array(encoding.ids, np.int16) for part in parts for encoding in part]


def _filled(rows: list[np.ndarray], length: int, filler: int) -> np.ndarray:
    filled = np.full((len(rows), length), filler, np.int16)
    for target, row in zip(filled, rows, strict=True):
        target[: len(row)] = row
    return filled


def main(recipe: Recipe) -> None:
    target = recipe.work / "tune.npz"
    if target.exists():
        return
    pick = random.Random(recipe.seed)
    training, held_out = list[Row](), list[Row]()
    for is_kept_back, row in rows(recipe, collect(recipe)):
        (held_out if is_kept_back else training).append(row)
    pick.shuffle(training)
    documents = [row for row in held_out if row.group not in ("search", "sentences")]
    kept = pick.sample(documents, min(len(documents), recipe.tasks.held_out_questions))
    write_lines(recipe.work / "held_out.jsonl", (asdict(row) for row in kept))
    sentences = (asdict(row) for row in held_out if row.group == "sentences")
    write_lines(recipe.work / "held_out_sentences.jsonl", sentences)
    save_arrays(recipe, training, target)


if __name__ == "__main__":
    from training.config import recipe_from_arguments

    main(recipe_from_arguments(__doc__))
