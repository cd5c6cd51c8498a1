"""The reference runtime: sentence-transformers on torch, on the CPU or a GPU."""

from pathlib import Path
from typing import Any

import numpy as np

from lakerag.errors import ModelError
from lakerag.models.batching import Tokens
from lakerag.models.device import pick_device
from lakerag.records import Vectors


class TorchEncoder:
    """Runs the folder's own modules; half precision on a GPU.

    Args:
        folder: A sentence-transformers folder.
        device: `auto`, `cpu` or `cuda`.
        threads: CPU threads of the process; 0 leaves torch's choice.

    Raises:
        ModelError: The weights do not load, or the device is not there.
    """

    def __init__(self, folder: Path, device: str = "auto", threads: int = 0) -> None:
        import torch

        if threads:
            torch.set_num_threads(threads)
        self._device = pick_device(device)
        self.model = load_sentence_transformer(folder, self._device)
        if self._device != "cpu":
            self.model.half()
        self.dimension = int(self.model.get_embedding_dimension())

    def __call__(self, ids: Tokens, mask: Tokens) -> Vectors:
        import torch

        features = {
            "input_ids": torch.from_numpy(ids).to(self._device),
            "attention_mask": torch.from_numpy(mask).to(self._device),
        }
        with torch.inference_mode():
            vectors = self.model(features)["sentence_embedding"].float().cpu().numpy()
        return np.asarray(vectors, dtype=np.float32)


def load_sentence_transformer(folder: Path, device: str) -> Any:
    """Returns the `SentenceTransformer` of a folder in evaluation mode, reading local files alone.

    Raises:
        ModelError: The folder's architecture is unknown or its weights do not fit it.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(folder), device=device, local_files_only=True).eval()
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise ModelError(
            f"Expected a sentence-transformers model in {folder}, found one that does not load: {error}. "
            "Copy the folder again, or name another model.",
            folder=str(folder),
        ) from error
