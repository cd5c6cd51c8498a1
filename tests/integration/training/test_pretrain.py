"""Gaps in text, and what fills them."""

import numpy as np

from training import tokenizer
from training.config import Recipe
from training.pretrain import Text, corrupt, recurring_gaps
from training.tokenizer import END, sentinel


def test_gaps_become_sentinels_and_the_output_says_what_stood_there() -> None:
    tokens = np.array([100, 101, 102, 103, 104, 105])
    mask = np.array([False, True, True, False, False, True])

    inputs, outputs = corrupt(tokens, mask)

    assert inputs.tolist() == [100, sentinel(0), 103, 104, sentinel(1), END]
    assert outputs.tolist() == [sentinel(0), 101, 102, sentinel(1), 105, END]


def test_what_is_masked_as_recurring_still_stands_elsewhere(recipe: Recipe) -> None:
    tokenizer.main(recipe)
    text = Text(recipe)
    draw = np.random.default_rng(0)
    tokens = text.cut(300, draw)

    mask = recurring_gaps(tokens, text, draw)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    left = " ".join(map(str, tokens[~mask]))

    assert mask.any()
    for start, end in edges.reshape(-1, 2):
        assert " ".join(map(str, tokens[start:end])) in left
