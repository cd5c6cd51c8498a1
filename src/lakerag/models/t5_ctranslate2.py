"""The light runtime of the T5 family: CTranslate2 in int8 on the CPU, over a conversion made once a model."""

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from lakerag.errors import ModelError
from lakerag.models.cache import cached_folder
from lakerag.models.locate import revision
from lakerag.models.tokenizer import read_tokenizer


class CTranslate2Writer:
    """Runs a converted model.

    Keep torch out of the process: the two bring OpenMP runtimes of their own, and waited for each other for ever
    in one of our runs with several threads each.

    Args:
        folder: The transformers folder, for its tokenizer.
        converted: What `converted_t5` returned.
        batch_tokens: Prompt tokens a batch, padding included; the library sorts prompts by length.
        num_beams: 1 is greedy.
        threads: Batches at a time, each on one core; 0: as many as there are cores.

    Raises:
        ModelError: The conversion cannot be read.
    """

    def __init__(self, folder: Path, converted: Path, batch_tokens: int, num_beams: int = 1, threads: int = 0) -> None:
        import ctranslate2

        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        self._batch_tokens = batch_tokens
        self._num_beams = num_beams
        try:
            # Cores are worth more to several batches than to one: only a single question has one core alone.
            self._translator = ctranslate2.Translator(
                str(converted), device="cpu", inter_threads=threads or os.cpu_count() or 1, intra_threads=1
            )
        except RuntimeError as error:
            raise ModelError(
                f"Expected a converted model in {converted}, found: {error}. Delete the folder to convert anew.",
                path=str(converted),
            ) from error

    def __call__(self, rows: Sequence[Sequence[int]], max_new_tokens: int) -> list[tuple[list[int], float]]:
        results = self._translator.translate_batch(
            [[self._tokenizer.id_to_token(token) for token in row] for row in rows],
            max_batch_size=self._batch_tokens,
            batch_type="tokens",
            beam_size=self._num_beams,
            max_decoding_length=max_new_tokens,
            min_decoding_length=0,  # as transformers does: an end at once is an empty answer, not another token
            max_input_length=0,
            return_scores=True,
            return_end_token=True,
        )
        return [
            (self._ids(result.hypotheses[0]), math.exp(result.scores[0]))  # scores are mean log probabilities
            for result in results
        ]

    def _ids(self, tokens: Sequence[str]) -> list[int]:
        ids = (self._tokenizer.token_to_id(token) for token in tokens)
        return [token for token in ids if token is not None]


def converted_t5(folder: Path, name: str, cache: str | None, quantization: str = "int8") -> Path:
    """Returns the conversion of a T5-family folder from the cache, converting it first where it is not there.

    Args:
        folder: A transformers folder with safetensors.
        name: The model's name, for the cache's key.
        cache: Folder of all conversions; None for `~/.cache/lakerag`.
        quantization: Storage of the weights, as CTranslate2 names it.

    Raises:
        ModelError: The cache cannot be written, or the architecture is not one that CTranslate2 knows.
    """
    key = f"{name}-{revision(folder)[:12]}-ctranslate2-{quantization}"
    return cached_folder(cache, key, partial(_convert, folder, quantization))


def _convert(folder: Path, quantization: str, target: Path) -> None:
    """Converts in a process of its own: it needs torch, whose threads and CTranslate2's are better kept apart."""
    arguments = ("--model", folder, "--output_dir", target, "--quantization", quantization, "--force")
    command = [sys.executable, "-m", "ctranslate2.converters.transformers", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelError(
            f"Expected a model that CTranslate2 converts in {folder}, found: {reason}. Set generator.runtime to torch.",
            folder=str(folder),
        )
