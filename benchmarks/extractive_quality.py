"""Quality and speed of the extractive generator on XQuAD: three of 150 paragraphs by cosine, then the generator.

    LAKERAG_CORPORA=FOLDER python benchmarks/extractive_quality.py

`ratio` is the time of one whole generation over the time of embedding its sentences alone; `again_ms` is a generation
over sentences that were read lately.
"""

import json
import os
import re
import string
import time
from pathlib import Path
from typing import Any

import numpy as np

from lakerag import config
from lakerag.models import load_embedder
from lakerag.models.base import Embedder
from lakerag.models.extractive import ExtractiveGenerator
from lakerag.models.extractive.reading import Reading
from lakerag.models.extractive.vectors import shorten
from lakerag.records import Draft, Passage, Prompt

RETRIEVED = 3
TIMED = 60


def normal(text: str) -> list[str]:
    """SQuAD's normalisation."""
    text = "".join(mark for mark in text.lower() if mark not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def holds(text: str, answers: list[str]) -> bool:
    words = normal(text)
    wanted = [normal(answer) for answer in answers]
    return any(words[i : i + len(w)] == w for w in wanted if w for i in range(len(words)))


def abstention(confidence: np.ndarray, impossible: np.ndarray, threshold: float) -> dict[str, float]:
    """Precision, recall and false refusals at a threshold, and what the best threshold would give."""

    def at(limit: float) -> dict[str, float]:
        refused = confidence < limit
        right = float((refused & impossible).sum())
        precision, recall = right / max(refused.sum(), 1), right / impossible.sum()
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        false = float((refused & ~impossible).sum() / (~impossible).sum())
        return {"precision": precision, "recall": recall, "f1": f1, "false_refusal": false}

    best = max((at(limit) | {"threshold": float(limit)} for limit in np.unique(confidence)), key=lambda row: row["f1"])
    ranks = confidence.argsort().argsort() + 1.0
    n, m = (~impossible).sum(), impossible.sum()
    auc = (ranks[~impossible].sum() - n * (n + 1) / 2) / (n * m)
    return {**at(threshold), "auc": float(auc), "best_f1": best["f1"], "best_threshold": best["threshold"]}


def prompts_of(questions: list[str], index: list[Passage], embedder: Embedder) -> list[Prompt]:
    texts = [shorten(passage.text, embedder.tokenizer) for passage in index]
    likeness = embedder.embed(questions) @ embedder.embed(texts).T
    best = np.argsort(-likeness, axis=1, kind="stable")[:, :RETRIEVED]
    return [
        Prompt(question, tuple(index[number] for number in row), "", 0, 0)
        for question, row in zip(questions, best, strict=True)
    ]


def generation_ms(prompts: list[Prompt], embedder: Embedder) -> dict[str, float]:
    """Medians over single questions: whole generation, the embedding in it by itself, and the same question again."""
    whole, embedding, again = [], [], []
    for prompt in prompts:
        generator = ExtractiveGenerator(embedder, config.Generator())  # one that has read nothing yet
        start = time.perf_counter()
        generator.generate([prompt])
        middle = time.perf_counter()
        generator.generate([prompt])
        again.append(time.perf_counter() - middle)
        whole.append(middle - start)
        texts = Reading.of(prompt).texts
        start = time.perf_counter()
        embedder.embed(texts)
        embedding.append(time.perf_counter() - start)
    medians = {"generate_ms": whole, "embed_ms": embedding, "again_ms": again}
    return {name: float(np.median(seconds)) * 1e3 for name, seconds in medians.items()}


def main(folder: Path) -> None:
    articles: list[dict[str, Any]] = json.loads((folder / "dev.json").read_text(encoding="utf-8"))["data"]
    lines = (folder / "dev_unanswerable.jsonl").read_text(encoding="utf-8").splitlines()
    paragraphs = [(a["title"].replace("_", " "), n, p) for a in articles for n, p in enumerate(a["paragraphs"])]
    last = np.array([n == 4 for _, n, p in paragraphs for _ in p["qas"]])
    asked = [(qa["question"], [a["text"] for a in qa["answers"]]) for _, _, p in paragraphs for qa in p["qas"]]
    index = [
        Passage(f"{title}-{n}", title, title, title, "", p["context"], 0, len(p["context"]), 0.0)
        for title, n, p in paragraphs
    ]
    embedder = load_embedder(config.Embedder())
    eager = ExtractiveGenerator(embedder, config.Generator(min_confidence=0.0))
    threshold = config.Generator().min_confidence
    questions = [question for question, _ in asked]

    def confidences(prompts: list[Prompt]) -> tuple[list[Draft], np.ndarray]:
        drafts = eager.generate(prompts)
        return drafts, np.array([draft.confidence for draft in drafts])

    prompts = prompts_of(questions, index, embedder)
    drafts, known = confidences(prompts)
    _, unknown = confidences(prompts_of([json.loads(line)["question"] for line in lines], index, embedder))
    kept = [passage for passage, (_, n, _) in zip(index, paragraphs, strict=True) if n != 4]
    _, hard = confidences(prompts_of(questions, kept, embedder))
    texts = [[sentence.text for sentence in draft.sentences] for draft in drafts]
    timings = generation_ms(prompts[:TIMED], embedder)
    result = {
        "holds_answer": float(np.mean([holds(" ".join(t), a) for t, (_, a) in zip(texts, asked, strict=True)])),
        "first_sentence": float(np.mean([holds(t[0], a) for t, (_, a) in zip(texts, asked, strict=True)])),
        "words": float(np.mean([len(" ".join(t).split()) for t in texts])),
        "given": abstention(
            np.r_[known, unknown], np.r_[np.zeros(len(known), bool), np.ones(len(unknown), bool)], threshold
        ),
        "hard": abstention(hard, last, threshold),
        **timings,
        "ratio": timings["generate_ms"] / timings["embed_ms"],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(os.environ["LAKERAG_CORPORA"]) / "xquad")
