"""Muon for the matrices, AdamW for the rest, and the loop that every training step shares."""

import math
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from training.config import Run
from training.t5 import T5

MOMENTUM = 0.95
DECAY = 0.02
EMBEDDING_SHARE = 0.4
VECTOR_SHARE = 0.15
LOG_EVERY = 100
UNTIMED_STEPS = 8
"""Steps before the clock starts: they compile, which says nothing about those that follow."""


def orthogonalise(update: Tensor) -> Tensor:
    """Replaces the singular values of each matrix (n, rows, columns) by about one (Jordan et al. 2024, Muon)."""
    matrix = update.bfloat16() if update.is_cuda else update
    tall = matrix.shape[-2] > matrix.shape[-1]
    if tall:
        matrix = matrix.mT
    matrix = matrix / (matrix.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = matrix @ matrix.mT
        matrix = 3.4445 * matrix + (-4.7750 * square + 2.0315 * square @ square) @ matrix
    return (matrix.mT if tall else matrix).float()


class Muon:
    """Momentum, then orthogonalised updates in proportion to the size that each matrix starts with."""

    def __init__(self, model: T5) -> None:
        groups: dict[tuple[int, ...], list[nn.Parameter]] = {}
        for _, parameter in matrices(model):
            groups.setdefault(tuple(parameter.shape), []).append(parameter)
        self._groups = [
            (members, torch.stack([torch.zeros_like(m) for m in members]), torch.stack([_size(m) for m in members]))
            for members in groups.values()
        ]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for members, momentum, scale in self._groups:
            gradient = torch.stack([member.grad for member in members])
            momentum.lerp_(gradient, 1 - MOMENTUM)
            update = orthogonalise(gradient.lerp(momentum, MOMENTUM))
            torch._foreach_mul_(members, 1 - rate * DECAY)
            torch._foreach_add_(members, list((update * (-rate * scale[:, None, None])).unbind(0)))


@torch.no_grad()
def _size(matrix: Tensor) -> Tensor:
    """Returns the root mean square of a matrix's singular values, kept off zero for layers that start as identities."""
    return (matrix.norm() / min(matrix.shape) ** 0.5).clamp(min=0.1)


def matrices(model: T5) -> list[tuple[str, nn.Parameter]]:
    """Returns the weight matrices of the layers; embeddings and biases are not among them."""
    named = model.named_parameters()
    return [(name, p) for name, p in named if p.ndim == 2 and name.startswith(("encoder.", "decoder."))]


def rate_factor(progress: float, run: Run) -> float:
    """Rises over the warm-up, stays, and falls in a line over the last 70 %."""
    if progress < run.warmup:
        return progress / run.warmup
    return 1.0 if progress < 0.3 else run.floor + (1 - run.floor) * (1 - (progress - 0.3) / 0.7)


def train(model: T5, loss_of: Callable[[tuple[Tensor, ...]], Tensor], batches: Iterator[tuple[Tensor, ...]],
          run: Run, name: str) -> None:  # fmt: skip
    """Runs until the steps or the seconds of `run` are used up.

    Raises:
        FloatingPointError: The loss is no longer a number.
    """
    where = model.embedding.weight.device
    layer_ids = {id(p) for _, p in matrices(model)}
    rest = [p for p in model.parameters() if id(p) not in layer_ids and p is not model.embedding.weight]
    muon = Muon(model)
    groups = [{"params": [model.embedding.weight], "share": EMBEDDING_SHARE}, {"params": rest, "share": VECTOR_SHARE}]
    adam = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0)
    parameters = [p for p in model.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    started, losses = time.monotonic(), list[Tensor]()
    for step in range(run.steps):
        if step <= UNTIMED_STEPS:
            started = time.monotonic()
        progress = max((step + 1) / run.steps, (time.monotonic() - started) / run.seconds)
        if progress > 1:
            break
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
            loss = loss_of(tuple(part.to(where, non_blocking=True) for part in next(batches)))
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        rate = run.rate * rate_factor(progress, run)
        for group in adam.param_groups:
            group["lr"] = rate * group["share"]
        muon.step(rate)
        adam.step()
        torch._foreach_zero_([p.grad for p in parameters])
        losses.append(loss.detach())
        if step % LOG_EVERY == LOG_EVERY - 1 or step == UNTIMED_STEPS:
            mean = torch.stack(losses).mean().item()
            print(f"{name}: step {step + 1}, {time.monotonic() - started:.0f} s, loss {mean:.4f}", flush=True)
            if not math.isfinite(mean):
                raise FloatingPointError(f"expected a finite loss, found {mean} at step {step + 1} of {name}")
            losses.clear()
