"""The reference runtime of the T5 family: transformers' `generate` on torch."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from lakerag.errors import ModelError
from lakerag.models.batching import token_batches
from lakerag.models.device import pick_device


class TorchWriter:
    """Runs a folder's model, greedy or by beam search; bfloat16 on a GPU, as T5 overflows float16.

    Args:
        folder: A transformers folder with safetensors.
        batch_tokens: Prompt tokens a batch, padding included.
        num_beams: 1 is greedy.
        device: `auto`, `cpu` or `cuda`.
        threads: CPU threads of the process; 0 leaves torch's choice.

    Raises:
        ModelError: The architecture is unknown, weights are missing, or the device is not there.
    """

    def __init__(
        self, folder: Path, batch_tokens: int, num_beams: int = 1, device: str = "auto", threads: int = 0
    ) -> None:
        import torch

        self._device = pick_device(device)
        if threads:
            torch.set_num_threads(threads)
        dtype = torch.float32 if self._device == "cpu" else torch.bfloat16
        self._model = _load(folder, dtype).to(self._device).eval()
        self._batch_tokens = batch_tokens
        self._num_beams = num_beams
        ends = self._model.generation_config.eos_token_id
        self._ends = set(ends) if isinstance(ends, list) else {ends}

    def __call__(self, rows: Sequence[Sequence[int]], max_new_tokens: int) -> list[tuple[list[int], float]]:
        written: dict[int, tuple[list[int], float]] = {}
        for batch in token_batches([len(row) for row in rows], self._batch_tokens):
            written.update(zip(batch, self._write([rows[n] for n in batch], max_new_tokens), strict=True))
        return [written[n] for n in range(len(rows))]

    def _write(self, rows: Sequence[Sequence[int]], max_new_tokens: int) -> list[tuple[list[int], float]]:
        import torch

        width, pad_id = max(len(row) for row in rows), self._model.config.pad_token_id
        ids = torch.tensor([[*row, *[pad_id] * (width - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=ids.to(self._device),
                attention_mask=mask.to(self._device),
                max_new_tokens=max_new_tokens,
                num_beams=self._num_beams,
                do_sample=False,
                return_dict_in_generate=True,
                output_scores=True,
            )
            scores = self._model.compute_transition_scores(
                output.sequences,
                output.scores,
                getattr(output, "beam_indices", None),
                normalize_logits=self._num_beams == 1,
            )
        return [
            self._cut(tokens, logs)
            for tokens, logs in zip(output.sequences[:, 1:].tolist(), scores.tolist(), strict=True)
        ]

    def _cut(self, tokens: list[int], logs: list[float]) -> tuple[list[int], float]:
        """Returns a row up to its end token, and the geometric mean of its tokens' probabilities."""
        ends = (position for position, token in enumerate(tokens, 1) if token in self._ends)
        length = next(ends, len(tokens))
        return tokens[:length], math.exp(sum(logs[:length]) / length)


def _load(folder: Path, dtype: Any) -> Any:
    from transformers import AutoModelForSeq2SeqLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model, report = AutoModelForSeq2SeqLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"Expected a text-to-text model in {folder}, found one that does not load: {error}. "
            "Copy the folder again, or name a T5-family model.",
            folder=str(folder),
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"The weights in {folder} are incomplete: {', '.join(missing[:3])} and others missing ({len(missing)} in "
            "all). Copy the folder again.",
            folder=str(folder),
            missing=missing,
        )
    return model
