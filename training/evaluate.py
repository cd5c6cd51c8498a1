"""Step 8: answers to held-out questions, scored, with the abstention calibrated on held-out documents alone.

With `--xquad FOLDER` (`dev.json` in SQuAD's layout and `dev_unanswerable.jsonl`) the questions of XQuAD are asked too,
each over the three paragraphs that the teacher finds nearest. They take no part in training or calibration.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lakerag.models.t5_grounded import layout
from training import tokenizer
from training.config import Recipe, load_recipe
from training.corpus import read_lines
from training.embed import embed, nearest
from training.metrics import best_f1, holds, normalise
from training.natural import Example, search_questions
from training.reader import device
from training.t5 import T5
from training.tasks import LENGTHS, OUTPUT
from training.writer import pad

BATCH = 128
TOP = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A question over passages; no golds: nothing answers it."""

    question: str
    passages: tuple[str, ...]
    golds: tuple[str, ...]
    citation: int | None
    """The passage that holds the answer; None where retrieval missed it or there is none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the model wrote, and how sure it was that a passage answers."""

    reading: layout.Reading
    confidence: float
    """One minus the probability of `<none>` at the first step."""


@torch.no_grad()
def answer(model: T5, recipe: Recipe, cases: Sequence[Case]) -> list[Outcome]:
    """Answers every case, also where the model would rather not: abstaining is the threshold's business."""
    words = tokenizer.load(recipe)
    nothing = words.token_to_id(layout.NOTHING)
    marks = torch.tensor([words.token_to_id(mark) for mark in layout.MARKS], device=device())
    encoded = [e.ids for e in words.encode_batch([layout.render(c.question, c.passages) for c in cases])]
    order = sorted(range(len(cases)), key=lambda n: len(encoded[n]))
    outcomes: dict[int, Outcome] = {}
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        length = -(-min(layout.MAX_INPUT_TOKENS, max(len(encoded[n]) for n in chosen)) // 32) * 32
        inputs = torch.from_numpy(pad([encoded[n] for n in chosen], length, tokenizer.PAD)).long().to(device())
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=inputs.is_cuda):
            tokens, first = model.generate(inputs, OUTPUT, first_tokens=marks)
        texts = words.decode_batch(tokens.tolist(), skip_special_tokens=True)
        for n, text, none in zip(chosen, texts, first[:, nothing].exp().tolist(), strict=True):
            outcomes[n] = Outcome(layout.parse(text), 1 - none)
    return [outcomes[n] for n in range(len(cases))]


def held_out_cases(recipe: Recipe) -> list[Case]:
    """Reads the tasks about held-out documents."""
    rows = read_lines(recipe.work / "held_out.jsonl")
    return [
        Case(r["question"], tuple(r["passages"]), (r["answer"],) if r["citation"] else (), r["citation"]) for r in rows
    ]


def retrieved_cases(
    recipe: Recipe, paragraphs: list[str], questions: list[tuple[str, tuple[str, ...], int]]
) -> list[Case]:
    """Asks (question, golds, own paragraph or -1) over the nearest paragraphs."""
    near = nearest(embed(recipe, [q for q, _, _ in questions]), embed(recipe, paragraphs), TOP)
    cases = []
    for (question, golds, own), found in zip(questions, near.tolist(), strict=True):
        citation = found.index(own) + 1 if own in found else None
        cases.append(Case(question, tuple(paragraphs[n] for n in found), golds, citation))
    return cases


def search_cases(recipe: Recipe) -> list[Case]:
    examples: list[Example] = search_questions(recipe.texts, held_out=True)
    paragraphs = list(dict.fromkeys(e.passage for e in examples))
    return retrieved_cases(recipe, paragraphs, [(e.question, e.answers, paragraphs.index(e.passage)) for e in examples])


def sentence_cases(recipe: Recipe) -> list[Case]:
    """Reads the marked questions about held-out articles that have an answer."""
    rows = [row for row in read_lines(recipe.work / "held_out_sentences.jsonl") if row["citation"]]
    return [Case(r["question"], tuple(r["passages"]), (r["answer"],), r["citation"]) for r in rows]


def xquad_cases(recipe: Recipe, folder: Path) -> list[Case]:
    dataset = json.loads((folder / "dev.json").read_text(encoding="utf-8"))["data"]
    blocks = [block for article in dataset for block in article["paragraphs"]]
    asked = [
        (entry["question"], tuple(a["text"] for a in entry["answers"]), number)
        for number, block in enumerate(blocks)
        for entry in block["qas"]
    ]
    asked += [(row["question"], (), -1) for row in read_lines(folder / "dev_unanswerable.jsonl")]
    return retrieved_cases(recipe, [block["context"] for block in blocks], asked)


def calibrate(cases: Sequence[Case], outcomes: Sequence[Outcome]) -> float:
    """Returns the confidence below which abstaining is right more often than not, balanced over both classes."""
    answerable = np.array([bool(case.golds) for case in cases])
    confidence = np.array([outcome.confidence for outcome in outcomes])
    candidates = np.unique(confidence)
    gains = [(confidence[answerable] >= t).mean() + (confidence[~answerable] < t).mean() for t in candidates]
    return float(candidates[int(np.argmax(gains))])


def score(cases: Sequence[Case], outcomes: Sequence[Outcome], threshold: float) -> dict[str, float]:
    """Scores answers at a threshold; a refusal of an answerable question counts zero."""
    asked = [(c, o, o.confidence >= threshold) for c, o in zip(cases, outcomes, strict=True) if c.golds]
    refused = [o.confidence < threshold for c, o in zip(cases, outcomes, strict=True) if not c.golds]
    given = [(c, o) for c, o, answered in asked if answered]
    cited = [o.reading.citation == c.citation for c, o in given]
    abstained = sum(refused) + len(asked) - len(given)
    return {
        "questions": len(asked),
        "f1": 100 * sum(best_f1(o.reading.answer, c.golds) for c, o in given) / max(1, len(asked)),
        "exact": sum(best_f1(o.reading.answer, c.golds) == 1 for c, o in given) / max(1, len(asked)),
        "holds": sum(holds(o.reading.answer, c.golds) for c, o in given) / max(1, len(asked)),
        "citation": sum(cited) / max(1, len(given)),
        "copied": sum(_copied(c, o) for c, o in given) / max(1, len(given)),
        "false_refusals": 1 - len(given) / max(1, len(asked)),
        "unanswerable": len(refused),
        "abstention_precision": sum(refused) / max(1, abstained),
        "abstention_recall": sum(refused) / max(1, len(refused)),
    }


def _copied(case: Case, outcome: Outcome) -> bool:
    """Tells whether every word of the answer stands in the cited passage: no name is misspelt."""
    number = outcome.reading.citation
    return number is not None and number <= len(case.passages) and set(normalise(outcome.reading.answer)) <= set(
        normalise(case.passages[number - 1])
    )  # fmt: skip


def evaluate(recipe: Recipe, xquad: Path | None) -> dict[str, dict[str, float]]:
    """Returns the scores of each set, answered always and at the calibrated threshold."""
    model = T5(recipe.shape, recipe.tokenizer.vocabulary).to(device()).eval()
    model.load_state_dict(torch.load(recipe.work / "tuned.pt", map_location=device(), weights_only=True))
    sets = {"documents": held_out_cases(recipe), "search": search_cases(recipe)}
    sets["sentences"] = sentence_cases(recipe)
    if xquad is not None:
        sets["xquad"] = xquad_cases(recipe, xquad)
    outcomes = {name: answer(model, recipe, cases) for name, cases in sets.items()}
    threshold = calibrate(sets["documents"], outcomes["documents"])
    report = {"threshold": {"confidence": threshold, "longest_training_input": LENGTHS[-1]}}
    for name, cases in sets.items():
        report[f"{name}, always answering"] = score(cases, outcomes[name], 0.0)
        report[f"{name}, calibrated"] = score(cases, outcomes[name], threshold)
    return report


def main(recipe: Recipe, xquad: Path | None = None) -> None:
    report = evaluate(recipe, xquad)
    text = json.dumps(report, indent=1)
    (recipe.work / "report.json").write_text(text, encoding="utf-8")
    print(text, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("training/configs/full.yml"))
    parser.add_argument("--xquad", type=Path)
    arguments = parser.parse_args()
    main(load_recipe(arguments.config), arguments.xquad)
