"""The generators on the same passages: extractive, our T5, our T5 with the extractive one behind it.

    LAKERAG_CORPORA=FOLDER PYTHONPATH=.:src python benchmarks/generator_quality.py --t5 FOLDER --keep FOLDER --limit 200

Three sets: held-out documentation (what `training.tasks` kept back), held-out search-engine questions and XQuAD dev,
the latter two over the three paragraphs nearest by cosine. Everybody answers everything; thresholds are applied
afterwards, so that the generators can be compared at equal abstention. Prints one JSON line a set and generator.
Then one line a set with both reliabilities: mean confidence against the share that is right (the T5: token F1 of one
half; the extractive one: an answer stands in its quotations). The T5 runs in bfloat16 on a CPU, which is three times as
fast; `--exact` keeps float32. Answers are kept in the folder `--keep`: a run that was stopped, by `--seconds` too, goes
on from there, and the scores are those of the questions answered so far.
"""

import argparse
import json
import math
import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from extractive_quality import prompts_of

from lakerag import config
from lakerag.models import load_embedder
from lakerag.models.base import Embedder
from lakerag.models.extractive import ExtractiveGenerator
from lakerag.models.t5_grounded.generator import GroundedGenerator
from lakerag.records import Draft, Passage, Prompt
from training.calibrate import CASES, is_right, prompt_of, reliability
from training.config import load_recipe
from training.corpus import read_lines
from training.evaluate import held_out_cases
from training.metrics import best_f1, holds
from training.natural import search_questions

T = TypeVar("T")
BATCH = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its passages; no golds: nothing answers it."""

    prompt: Prompt
    golds: tuple[str, ...]
    own: str
    """Text of the passage that holds the answer."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a generator answers when it must, and how sure it is."""

    text: str
    cited: str
    confidence: float


def retrieved(paragraphs: list[str], asked: list[tuple[str, tuple[str, ...], str]], embedder: Embedder) -> list[Asked]:
    index = [Passage(str(n), "", "", "", "", text, 0, len(text), 0.0) for n, text in enumerate(paragraphs)]
    prompts = prompts_of([question for question, _, _ in asked], index, embedder)
    return [Asked(prompt, golds, own) for prompt, (_, golds, own) in zip(prompts, asked, strict=True)]


def sample(rows: Sequence[T], limit: int | None) -> list[T]:
    """Returns rows drawn at random, always the same ones; more rows for a higher limit."""
    return random.Random(0).sample(rows, len(rows))[:limit]


def xquad(folder: Path, embedder: Embedder, limit: int | None) -> list[Asked]:
    articles = json.loads((folder / "dev.json").read_text(encoding="utf-8"))["data"]
    blocks = [block for article in articles for block in article["paragraphs"]]
    asked = [
        (entry["question"], tuple(answer["text"] for answer in entry["answers"]), block["context"])
        for block in blocks
        for entry in block["qas"]
    ]
    nothing = [(row["question"], (), "") for row in read_lines(folder / "dev_unanswerable.jsonl")]
    return retrieved([block["context"] for block in blocks], sample(asked + nothing, limit), embedder)


def search(texts: Path, embedder: Embedder, limit: int | None) -> list[Asked]:
    examples = search_questions(texts, held_out=True)
    paragraphs = list(dict.fromkeys(example.passage for example in examples))
    asked = [(e.question, e.answers, e.passage) for e in examples]
    return retrieved(paragraphs, sample(asked, limit), embedder)


def documents(recipe: Path, limit: int | None) -> list[Asked]:
    """Those that the confidence was not fitted on."""
    cases = sample(held_out_cases(load_recipe(recipe))[:-CASES], limit)
    return [Asked(prompt_of(c), c.golds, c.passages[c.citation - 1] if c.citation else "") for c in cases]


def given(draft: Draft, prompt: Prompt) -> Given:
    cited = [prompt.passages[number].text for sentence in draft.sentences for number in sentence.passages]
    return Given(" ".join(sentence.text for sentence in draft.sentences), cited[0] if cited else "", draft.confidence)


def scores(asked: Sequence[Asked], answers: Sequence[Given], threshold: float) -> dict[str, float]:
    """Scores at a threshold; a refusal of an answerable question counts zero."""
    could = [(a, g) for a, g in zip(asked, answers, strict=True) if a.golds]
    told = [(a, g) for a, g in could if g.confidence >= threshold and g.text]
    refused = [g.confidence < threshold or not g.text for g in answers]
    right = sum(r and not a.golds for r, a in zip(refused, asked, strict=True))
    impossible = sum(not a.golds for a in asked)
    sources = [" ".join(passage.text for passage in a.prompt.passages) for a, _ in told]
    copied = [all(word in source for word in g.text.split()) for source, (_, g) in zip(sources, told, strict=True)]
    return {
        "threshold": threshold,
        "questions": len(could),
        "f1": 100 * sum(best_f1(g.text, a.golds) for a, g in told) / len(could),
        "holds": sum(holds(g.text, a.golds) for a, g in told) / len(could),
        "citation": sum(g.cited == a.own for a, g in told) / max(len(told), 1),
        "false_refusals": 1 - len(told) / len(could),
        "unanswerable": impossible,
        "abstention_precision": right / max(sum(refused), 1),
        "abstention_recall": right / max(impossible, 1),
        "miscopied": len(copied) - sum(copied),
    }


def at_equal_abstention(answers: Sequence[Given], share: float) -> float:
    """Returns the threshold at which a generator refuses that share of all questions."""
    return float(np.quantile([answer.confidence for answer in answers], share))


def behind(first: Sequence[Given], second: Sequence[Given], threshold: float) -> list[Given]:
    return [a if a.confidence >= threshold else b for a, b in zip(first, second, strict=True)]


def calibration(asked: Sequence[Asked], answers: Sequence[Given], right: Callable[..., bool]) -> dict[str, object]:
    """Reliability in equal parts, and the expected calibration error, of answers that had to be given."""
    sure = np.array([g.confidence for g in answers])
    hits = np.array([bool(a.golds) and right(g.text, a.golds) for a, g in zip(asked, answers, strict=True)])
    parts = reliability(sure, hits)
    error = sum(count * abs(said - found) for count, said, found in parts) / len(sure)
    return {"reliability": parts, "calibration_error": round(error, 3)}


def report(name: str, asked: list[Asked], grounded: list[Given], extractive: list[Given], limit: float) -> None:
    usual = scores(asked, extractive, limit)
    share = float(np.mean([answer.confidence < limit for answer in extractive]))
    equal = at_equal_abstention(grounded, share)
    rows = {
        "extractive": usual,
        "t5": scores(asked, grounded, limit),
        "t5 at the extractive one's abstention": scores(asked, grounded, equal),
        "t5, else extractive": scores(asked, behind(grounded, extractive, limit), limit),
        "t5 if sure (0.8), else extractive": scores(asked, behind(grounded, extractive, 0.8), limit),
        "extractive, always": scores(asked, extractive, 0.0),
        "t5, always": scores(asked, grounded, 0.0),
    }
    for generator, row in rows.items():
        rounded = {key: round(value, 3) for key, value in row.items()}
        print(json.dumps({"set": name, "generator": generator, **rounded}), flush=True)
    told = {"extractive": calibration(asked, extractive, holds), "t5": calibration(asked, grounded, is_right)}
    print(json.dumps({"set": name, **told}), flush=True)


def answered(
    asked: list[Asked], t5: GroundedGenerator, quoting: ExtractiveGenerator, kept: Path, deadline: float, *, exact: bool
) -> list[tuple[Given, Given]]:
    """Returns both answers to the questions until the deadline, the kept ones first."""
    kept.touch()
    found = [(Given(*ours), Given(*theirs)) for ours, theirs in map(json.loads, kept.read_text("utf-8").splitlines())]
    while len(found) < len(asked) and time.monotonic() < deadline:
        prompts = [one.prompt for one in asked[len(found) : len(found) + BATCH]]
        with nullcontext() if exact else torch.autocast("cpu", torch.bfloat16):
            copied = t5.copy(prompts)
        ours = [
            Given(a.text, p.passages[a.passage].text, t5.confidence(a)) for a, p in zip(copied, prompts, strict=True)
        ]
        theirs = [given(draft, prompt) for draft, prompt in zip(quoting.generate(prompts), prompts, strict=True)]
        new = list(zip(ours, theirs, strict=True))
        with kept.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps([astuple(a), astuple(b)]) + "\n" for a, b in new)
        found += new
    return found[: len(asked)]


def main(arguments: argparse.Namespace) -> None:
    settings = config.load("local", environ={})
    embedder = load_embedder(settings.embedder)
    always = settings.generator.model_copy(update={"min_confidence": 0.0, "batch_tokens": 16_384})
    t5, quoting = GroundedGenerator(arguments.t5, always), ExtractiveGenerator(embedder, always)
    texts = load_recipe(arguments.config).texts
    corpora = Path(os.environ["LAKERAG_CORPORA"])
    sets: dict[str, Callable[[], list[Asked]]] = {
        "documents": lambda: documents(arguments.config, arguments.limit),
        "xquad": lambda: xquad(corpora / "xquad", embedder, arguments.limit),
        "search": lambda: search(texts, embedder, arguments.limit),
    }
    arguments.keep.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + arguments.seconds
    for name in arguments.sets.split(","):
        asked = sets[name]()
        answers = answered(asked, t5, quoting, arguments.keep / f"{name}.jsonl", deadline, exact=arguments.exact)
        grounded, extractive = [ours for ours, _ in answers], [theirs for _, theirs in answers]
        asked = asked[: len(answers)]
        report(name, asked, grounded, extractive, settings.generator.min_confidence)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--t5", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("training/configs/full.yml"))
    parser.add_argument("--limit", type=int, help="questions a set, drawn at random")
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--sets", default="documents,xquad,search")
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--keep", type=Path, required=True)
    main(parser.parse_args())
