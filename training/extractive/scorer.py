"""Fits the scorer and writes it into the package.

    python -m training.extractive.scorer --texts FOLDER

About 24,000 questions; embedding them takes some minutes on two cores, the fit one. The loss is the negative
logarithm of the probability that falls on the pieces that hold the answer, or on "nothing answers".
"""

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lakerag import config
from lakerag.models import load_embedder
from lakerag.models.base import Embedder
from lakerag.models.extractive import scorer
from lakerag.models.extractive.features import FEATURES, describe
from lakerag.models.extractive.vectors import shorten
from training.extractive.examples import Embed, Example, asked_sentences, case_of, searched_questions

SEED = 7
UNITS = 8
NETWORKS = 3
"""Fitted from different starts; their mean is one network with all their units."""
EPOCHS = 8
BATCH = 256
RATE = 5e-3
DECAY = 1e-2
MIN_SCALE = 0.05
"""A feature that hardly varies here may vary elsewhere; it must not be blown up."""
SEARCHED_WEIGHT = 4
"""Times a search-engine question is taken: they are few, and their text is as it was written."""
OFFSET = 0.3
"""Added to the logits of the pieces: questions are answered more often in use than in the fit. Chosen once, for
calibration on XQuAD dev with and without the last paragraph of every article; over five folds of articles it stays
within 0.1."""
FILE = Path(scorer.__file__).with_name("scorer.json")


class Network(torch.nn.Module):
    """The scorer, differentiable."""

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.mean, self.scale = mean, scale
        self.hidden = torch.nn.Linear(len(mean), UNITS)
        self.output = torch.nn.Linear(UNITS, 1)
        self.linear = torch.nn.Linear(len(mean), 1, bias=False)

    def forward(self, features: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Returns (questions, pieces + 1) log-probabilities, the last that nothing answers."""
        scaled = (features - self.mean) / self.scale
        logits = (self.output(torch.tanh(self.hidden(scaled))) + self.linear(scaled))[..., 0]
        logits = logits.masked_fill(~real, -1e9)
        return torch.log_softmax(torch.cat([logits, torch.zeros(len(logits), 1)], dim=1), dim=1)


Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Features (questions, pieces, features), which pieces are real, which cells (questions, pieces + 1) are right."""


def pack(examples: Sequence[Example], embed: Embed) -> Batch:
    """Describes all examples."""
    texts = list(dict.fromkeys(text for example in examples for text in example.reading.texts))
    vectors = dict(zip(texts, embed(texts), strict=True))
    longest = max(len(example.answers) for example in examples)
    features = torch.zeros(len(examples), longest, len(FEATURES))
    real = torch.zeros(len(examples), longest, dtype=torch.bool)
    right = torch.zeros(len(examples), longest + 1, dtype=torch.bool)
    for row, example in enumerate(examples):
        n = len(example.answers)
        described = describe(example.reading, np.stack([vectors[text] for text in example.reading.texts]))
        features[row, :n] = torch.from_numpy(described)
        real[row, :n] = True
        right[row, :n] = torch.tensor(example.answers)
        right[row, longest] = not any(example.answers)
    return features, real, right


def fit(batch: Batch, seed: int) -> Network:
    """Fits one network."""
    features, real, right = batch
    torch.manual_seed(seed)
    pieces = features[real]
    network = Network(pieces.mean(0), pieces.std(0).clamp(min=MIN_SCALE))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * -(-len(features) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(features)).split(BATCH):
            found = network(features[rows], real[rows]).masked_fill(~right[rows], -1e9)
            loss = -torch.logsumexp(found, dim=1).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return network


def write(networks: Sequence[Network], path: Path) -> None:
    """Writes the mean of networks over the same features as one network."""
    n = len(networks)
    values = {
        "mean": networks[0].mean,
        "scale": networks[0].scale,
        "hidden": torch.cat([network.hidden.weight.T for network in networks], dim=1),
        "hidden_bias": torch.cat([network.hidden.bias for network in networks]),
        "output": torch.cat([network.output.weight[0] for network in networks]) / n,
        "linear": sum(network.linear.weight[0] for network in networks) / n,
        "bias": sum(network.output.bias[0] for network in networks) / n + OFFSET,
    }
    rounded = {name: np.round(value.detach().double().numpy(), 4).tolist() for name, value in values.items()}
    path.write_text(json.dumps({"features": list(FEATURES), **rounded}) + "\n", encoding="utf-8")


def main(texts: Path, embed: Embed) -> None:
    rng = random.Random(SEED)
    case = case_of(texts / "docs.jsonl.xz")
    examples = asked_sentences(texts / "questions.jsonl.xz", case, embed, rng)
    examples += searched_questions(texts / "natural_qa.jsonl.xz", embed, rng) * SEARCHED_WEIGHT
    batch = pack([example for example in examples if example.answers], embed)
    write([fit(batch, SEED + number) for number in range(NETWORKS)], FILE)


def whole(embedder: Embedder) -> Embed:
    """Returns the embedding of texts of any length, read from their start as the generator does."""
    return lambda texts: embedder.embed([shorten(text, embedder.tokenizer) for text in texts])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="folder with docs, questions and natural_qa")
    main(parser.parse_args().texts, whole(load_embedder(config.Embedder(threads=0))))
