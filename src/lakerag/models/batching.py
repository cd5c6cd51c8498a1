"""Batches bounded by tokens: padding is work, so texts of one length go together."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lakerag.errors import RowRefusedError

Tokens = npt.NDArray[np.int64]


def token_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Groups texts, longest first, so that rows times longest row stays within a bound.

    Args:
        lengths: Tokens of every text.
        batch_tokens: Tokens a batch, padding included; a longer text is a batch of its own.

    Returns:
        Indexes into `lengths`, each exactly once.

    >>> token_batches([2, 9, 3, 8], batch_tokens=18)
    [[1, 3], [2, 0]]
    """
    batches: list[list[int]] = []
    width = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if not batches or (len(batches[-1]) + 1) * width > batch_tokens:
            batches.append([])
            width = lengths[index]
        batches[-1].append(index)
    return batches


def refuse_long(lengths: Sequence[int], limit: int, model: str) -> None:
    """Checks the prompts of a generator before any work.

    Raises:
        RowRefusedError: One is longer than the limit.
    """
    longest = max(lengths, default=0)
    if longest > limit:
        raise RowRefusedError(
            f"Expected prompts of at most {limit} tokens for {model}, found {longest}. Pass fewer passages, or raise "
            "generator.max_prompt_tokens where the model reads more.",
            tokens=longest,
            limit=limit,
        )


def pad(rows: Sequence[npt.NDArray[np.int32]], pad_id: int) -> tuple[Tokens, Tokens]:
    """Returns token ids and attention mask, (rows, longest row) each, padded on the right."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    ids[mask] = np.concatenate(rows)
    return ids, mask.astype(np.int64)
