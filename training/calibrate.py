"""Step 10: the confidence: how likely an answer is right, fitted on held-out documents.

The features are those of `lakerag.models.t5_grounded.generator.Copied`; an answer is right at a token F1 of one half
or when it holds an answer.
Fitted on every second question, reported on the others; the exported folder gets `calibration.json`.
"""

import json
from collections.abc import Sequence

import numpy as np

from lakerag import config
from lakerag.models.t5_grounded import CALIBRATION
from lakerag.models.t5_grounded.generator import GroundedGenerator
from lakerag.records import Passage, Prompt
from training.config import Recipe
from training.evaluate import Case, held_out_cases
from training.metrics import best_f1, holds

RIGHT_F1 = 0.5
BINS = 5
RIDGE = 1.0
ROUNDS = 50
CASES = 600
"""As many of the held-out questions are enough for four numbers."""


def prompt_of(case: Case) -> Prompt:
    passages = tuple(Passage("", "", "", "", "", text, 0, len(text), 0.0) for text in case.passages)
    return Prompt(case.question, passages, "", 0, 0)


def is_right(answer: str, golds: Sequence[str]) -> bool:
    return bool(golds) and (best_f1(answer, golds) >= RIGHT_F1 or holds(answer, golds))


def fit(features: np.ndarray, right: np.ndarray) -> list[float]:
    """Returns offset and weights of a logistic regression (Newton's method, ridge on the weights)."""
    rows = np.column_stack([np.ones(len(features)), features])
    weights, ridge = np.zeros(rows.shape[1]), RIDGE * np.eye(rows.shape[1])
    ridge[0, 0] = 1e-6
    for _ in range(ROUNDS):
        likely = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (right - likely) - ridge @ weights
        curve = (rows * (likely * (1 - likely))[:, None]).T @ rows + ridge
        weights = weights + np.linalg.solve(curve, slope)
    return [round(float(weight), 4) for weight in weights]


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[tuple[int, float, float]]:
    """Returns (answers, mean confidence, share that is right) of equal parts, the least confident first."""
    parts = np.array_split(np.argsort(confidence), BINS)
    return [
        (len(part), round(float(confidence[part].mean()), 3), round(float(right[part].mean()), 3)) for part in parts
    ]


def calibrate(generator: GroundedGenerator, cases: Sequence[Case]) -> dict[str, object]:
    """Returns the weights, and the reliability on the cases that they were not fitted on."""
    answers = generator.copy([prompt_of(case) for case in cases])
    features = np.array([answer.features for answer in answers])
    right = np.array([is_right(answer.text, case.golds) for answer, case in zip(answers, cases, strict=True)])
    weights = fit(features[::2], right[::2])
    confidence = 1 / (1 + np.exp(-(weights[0] + features[1::2] @ np.array(weights[1:]))))
    return {"weights": weights, "reliability": reliability(confidence, right[1::2])}


def main(recipe: Recipe) -> None:
    found = calibrate(
        GroundedGenerator(recipe.export, config.Generator(batch_tokens=16_384)), held_out_cases(recipe)[-CASES:]
    )
    (recipe.export / CALIBRATION).write_text(json.dumps(found), encoding="utf-8")
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    from training.config import recipe_from_arguments

    main(recipe_from_arguments(__doc__))
