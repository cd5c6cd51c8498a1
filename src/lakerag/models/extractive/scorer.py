"""From features to probabilities: a small network that also knows that nothing may answer."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from lakerag.errors import ModelError
from lakerag.models.extractive.features import FEATURES, Matrix


@dataclass(frozen=True, slots=True)
class Scorer:
    """One hidden layer of tanh units beside a linear path; logits are of (piece, nothing = 0).

    With the softmax over the pieces and "nothing answers" a probability is calibrated for the
    piece, and the sum over quoted pieces for the draft. Fitted by training/extractive/scorer.py.
    """

    mean: Matrix
    """(features,)"""
    scale: Matrix
    """(features,)"""
    hidden: Matrix
    """(features, units)"""
    hidden_bias: Matrix
    """(units,)"""
    output: Matrix
    """(units,)"""
    linear: Matrix
    """(features,)"""
    bias: float

    def chances(self, features: Matrix) -> Matrix:
        """Returns (n,), the probability of each piece to hold the answer; what is missing to 1 is that of none.

        Args:
            features: (n, features), of all pieces of one question.
        """
        scaled = (features - self.mean) / self.scale
        logits = np.tanh(scaled @ self.hidden + self.hidden_bias) @ self.output + scaled @ self.linear + self.bias
        top = max(float(logits.max(initial=0.0)), 0.0)
        odds: Matrix = np.exp(logits - top)
        chances: Matrix = odds / (odds.sum() + np.exp(-top))
        return chances

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Scorer":
        """Reads what `scorer.json` holds.

        Raises:
            ModelError: It was fitted to other features.
        """
        if tuple(values["features"]) != FEATURES:
            raise ModelError(
                f"Expected a scorer over the features {list(FEATURES)}, found {values['features']}. Fit it anew.",
                features=values["features"],
            )
        names = ("mean", "scale", "hidden", "hidden_bias", "output", "linear")
        return cls(**{name: np.array(values[name], dtype=np.float64) for name in names}, bias=float(values["bias"]))


@functools.cache
def load_scorer() -> Scorer:
    """Returns the shipped scorer."""
    text = resources.files(__package__).joinpath("scorer.json").read_text(encoding="utf-8")
    return Scorer.from_values(json.loads(text))
