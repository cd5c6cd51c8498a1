"""Span recall of the default chunker against two plain ones, at an equal number of retrieved tokens.

    LAKERAG_CORPORA=DIR python benchmarks/chunking.py [--tokens 1000] [--limit QUESTIONS] [--sizes 200 128 200:40]

Reads `chunking/` of the evaluation corpora, embeds all chunks of the five texts with the local
embedder, ranks them by cosine for every question and reads on, best first, until the budget of tokens is
spent; the last chunk counts up to the character that the budget reaches. Windows and pieces
that are longer than the embedder reads are embedded by their beginning, as plain pipelines
do. `--sizes` are chunk_tokens of the default chunker, with `:overlap_tokens` where not 0; the first is compared with
all others: `gain` in points of span recall, with the 95 % interval of a paired bootstrap over the questions. Prints one
JSON line.
"""

import argparse
import json
import os
import re
import tarfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from lakerag import config
from lakerag.evaluation.spans import Span, score_spans
from lakerag.gold.chunker import Chunker
from lakerag.models import load_embedder
from lakerag.models.base import Embedder
from lakerag.silver.cleaning import clean
from lakerag.silver.parsers.markdown import parse_markdown

WINDOW_WORDS = 200
PIECES_CHARS = (1000, 700)
RESAMPLES = 1000
SEPARATORS = ("\n\n", "\n", ". ", " ", "")

Piece = tuple[int, int, str]
"""Start, end, what is embedded."""


Cut = Callable[[str, Embedder], list[Piece]]


def by_structure(text: str, embedder: Embedder, tokens: int, overlap: int) -> list[Piece]:
    chunks = Chunker(embedder.tokenizer, tokens, overlap).cut(text)
    return [(chunk.start, chunk.end, chunk.embedded_text) for chunk in chunks]


def by_windows(text: str, _: Embedder) -> list[Piece]:
    words = [match.span() for match in re.finditer(r"\S+", text)]
    spans = [
        (words[at][0], words[min(at + WINDOW_WORDS, len(words)) - 1][1]) for at in range(0, len(words), WINDOW_WORDS)
    ]
    return [(start, end, text[start:end]) for start, end in spans]


def by_separators(text: str, _: Embedder, piece_chars: int) -> list[Piece]:
    """Splits at the strongest separator whose parts fit, then joins neighbours up to the size again."""

    def split(start: int, end: int, level: int) -> list[tuple[int, int]]:
        if end - start <= piece_chars:
            return [(start, end)]
        separator = SEPARATORS[level]
        if not separator:
            return [(at, min(at + piece_chars, end)) for at in range(start, end, piece_chars)]
        ends = [m.end() for m in re.finditer(re.escape(separator), text[start:end])]
        borders = [start, *(start + at for at in ends), end]
        parts = [(a, b) for a, b in pairwise(borders) if a < b]
        joined: list[tuple[int, int]] = []
        for a, b in (piece for part in parts for piece in split(*part, level + 1)):
            if joined and b - joined[-1][0] <= piece_chars:
                joined[-1] = (joined[-1][0], b)
            else:
                joined.append((a, b))
        return joined

    return [(a, b, text[a:b]) for a, b in split(0, len(text), 0) if text[a:b].strip()]


def chunkers(sizes: Sequence[str]) -> dict[str, Cut]:
    found: dict[str, Cut] = {}
    for size in sizes:
        tokens, _, overlap = size.partition(":")
        found[f"structure {size}"] = partial(by_structure, tokens=int(tokens), overlap=int(overlap or 0))
    found[f"windows of {WINDOW_WORDS} words"] = by_windows
    for chars in PIECES_CHARS:
        found[f"recursive, {chars} characters"] = partial(by_separators, piece_chars=chars)
    return found


def gain(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    """Points of the mean difference, then its 95 % interval."""
    differences = 100 * (np.array(ours) - np.array(others))
    drawn = np.random.Generator(np.random.PCG64(1)).integers(0, len(differences), (RESAMPLES, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), (2.5, 97.5))
    return [round(float(value), 1) for value in (differences.mean(), low, high)]


def shortened(text: str, embedder: Embedder) -> str:
    spans = embedder.tokenizer.spans(text)
    limit = embedder.tokenizer.max_tokens
    return text if len(spans) <= limit else text[: spans[limit - 1][0]]


def measure(
    cut: Cut,
    texts: dict[str, str],
    questions: Sequence[dict[str, Any]],
    asked: Any,
    embedder: Embedder,
    budget: int,
) -> tuple[dict[str, Any], list[float]]:
    pieces = [(name, *piece) for name, text in texts.items() for piece in cut(text, embedder)]
    vectors = embedder.embed([shortened(piece[3], embedder) for piece in pieces])
    tokens = [[start for start, _ in embedder.tokenizer.spans(texts[p[0]][p[1] : p[2]])] for p in pieces]
    order = np.argsort(-(asked @ vectors.T), axis=1, kind="stable")
    scores, by_corpus = [], {}
    for question, ranking in zip(questions, order, strict=True):
        left, retrieved = budget, []
        for at in ranking:
            name, start, end, _ = pieces[at]
            if len(tokens[at]) > left:
                end = start + tokens[at][left]
            retrieved.append(Span(name, start, end))
            left -= len(tokens[at])
            if left <= 0:
                break
        wanted = [Span(question["corpus"], r["start"], r["end"]) for r in question["references"]]
        score = score_spans(wanted, retrieved)["span_recall@5"]
        scores.append(score)
        by_corpus.setdefault(question["corpus"], []).append(score)
    whole = [
        any(p[0] == q["corpus"] and p[1] <= r["start"] and r["end"] <= p[2] for p in pieces)
        for q in questions
        for r in q["references"]
    ]
    told = {
        "span_recall": round(mean(scores), 4),
        "boundary_integrity": round(mean(whole), 4),
        "chunks": len(pieces),
        "mean_tokens": round(mean(map(len, tokens)), 1),
        "by_corpus": {name: round(mean(values), 4) for name, values in sorted(by_corpus.items())},
    }
    return told, scores


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--sizes", nargs="*", default=["200"])
    options = parser.parse_args()
    folder = Path(os.environ["LAKERAG_CORPORA"]) / "chunking"
    with tarfile.open(folder / "corpora.tar.gz") as archive:
        raw = {Path(m.name).stem: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
    texts = {name: content.decode() for name, content in raw.items()}
    shifted = sum(clean(parse_markdown(text).text)[0] != text for text in texts.values())
    lines = (folder / "questions_dev.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines][: options.limit]
    embedder = load_embedder(config.load("local").embedder)
    asked = embedder.embed([question["question"] for question in questions])
    began = time.monotonic()
    found, ours = {}, []
    for name, cut in chunkers(options.sizes).items():
        found[name], scores = measure(cut, texts, questions, asked, embedder, options.tokens)
        ours = ours or scores
        found[name]["gain"] = gain(ours, scores)
    seconds = round(time.monotonic() - began, 1)
    told = {"tokens": options.tokens, "questions": len(questions), "texts_changed_by_cleaning": shifted}
    print(json.dumps({"benchmark": "chunking", **told, "chunkers": found, "seconds": seconds}))


if __name__ == "__main__":
    main()
