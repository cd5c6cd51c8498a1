"""Work spread over processes, with results in an order that depends on the input and the seed alone."""

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, repeat
from multiprocessing import get_context
from multiprocessing.queues import Queue
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Batch = tuple[np.ndarray, ...]
Item = TypeVar("Item")
Result = TypeVar("Result")
READY_PER_PROCESS = 4
ITEMS_AT_ONCE = 100


def spread(work: Callable[[Item], Result], items: Iterable[Item], processes: int) -> list[Result]:
    """Returns what `work`, which must be picklable, makes of every item, in the items' order."""
    if processes == 1:
        return [work(item) for item in items]
    with get_context("fork").Pool(processes) as pool:
        return pool.map(work, items, chunksize=ITEMS_AT_ONCE)


def stream(make: Callable[[np.random.Generator], Batch], processes: int, seed: int) -> Iterator[tuple[Tensor, ...]]:
    """Yields what `make` returns, without end; process `n` makes the batches `n`, `n + processes`, and so on.

    The processes start at once, so call this before anything touches a GPU. One process is this one.
    """
    if processes == 1:
        draw = np.random.default_rng(seed * 1000)
        return (_tensors(make(draw)) for _ in repeat(None))
    context = get_context("fork")
    queues: list[Queue[Batch]] = [context.Queue(READY_PER_PROCESS) for _ in range(processes)]
    for number, queue in enumerate(queues):
        context.Process(target=_work, args=(make, queue, seed * 1000 + number), daemon=True).start()
    return (_tensors(queue.get()) for queue in cycle(queues))


def _tensors(batch: Batch) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(part) for part in batch)


def _work(make: Callable[[np.random.Generator], Batch], queue: "Queue[Batch]", seed: int) -> None:
    torch.set_num_threads(1)
    draw = np.random.default_rng(seed)
    while True:
        queue.put(make(draw))
