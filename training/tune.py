"""Step 7: the pre-trained body learns to answer, to cite and to abstain."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from training.config import Mix, Recipe
from training.optimiser import train
from training.reader import device
from training.t5 import T5
from training.tasks import GROUPS, LENGTHS


def task_batches(
    arrays: dict[str, np.ndarray], size: int, seed: int, mix: Mix | None = None
) -> Iterator[tuple[Tensor, ...]]:
    """Yields batches of one length each; `size` counts the longest rows, of shorter ones more fit in."""
    draw = np.random.default_rng(seed)
    often = np.array([getattr(mix or Mix(), group) for group in GROUPS])
    while True:
        plan = []
        for length in LENGTHS:
            rows = size * LENGTHS[-1] // length
            wanted = often[arrays[f"groups_{length}"]]
            times = np.floor(wanted + draw.random(len(wanted))).astype(int)
            order = draw.permutation(np.repeat(np.arange(len(times)), times))
            whole = [order[n : n + rows] for n in range(0, len(order) - rows + 1, rows)]
            plan += [(length, chosen) for chosen in whole or [order] if len(chosen)]
        for number in draw.permutation(len(plan)):
            length, chosen = plan[number]
            yield tuple(torch.from_numpy(arrays[f"{part}_{length}"][chosen]) for part in ("inputs", "labels"))


def main(recipe: Recipe) -> None:
    if (recipe.work / "tuned.pt").exists():
        return
    torch.manual_seed(recipe.seed)
    arrays = dict(np.load(recipe.work / "tune.npz"))
    model = T5(recipe.shape, recipe.tokenizer.vocabulary).to(device())
    model.load_state_dict(torch.load(recipe.work / "body.pt", map_location=device(), weights_only=True))
    model.set_dropout(recipe.dropout)
    if recipe.compile:
        model.compile_layers()
    batches = task_batches(arrays, recipe.tune.batch, recipe.seed, recipe.mix)
    train(model, lambda batch: model(batch[0].long(), batch[1].long(), even=True), batches, recipe.tune, "tune")
    torch.save(model.state_dict(), recipe.work / "tuned.pt")


if __name__ == "__main__":
    from training.config import recipe_from_arguments

    main(recipe_from_arguments(__doc__))
