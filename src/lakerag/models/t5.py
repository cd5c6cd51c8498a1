"""The T5 family as a generator: any text-to-text model that reads a prompt and writes cited sentences."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from lakerag import config
from lakerag.errors import ModelError
from lakerag.models.base import Generator
from lakerag.models.batching import refuse_long
from lakerag.models.device import prompt_tokens, refuse_gpu
from lakerag.models.drafts import abstention, read_draft
from lakerag.models.locate import locate, read_json, require
from lakerag.models.t5_grounded import CALIBRATION, WEIGHTS
from lakerag.models.tokenizer import read_tokenizer
from lakerag.records import Draft, Prompt

Written = tuple[list[int], float]
"""Generated token ids up to the end token, and the geometric mean of their probabilities."""


class Writer(Protocol):
    """A runtime: rows of prompt tokens to one output each, in their order; it makes batches of them as suits it."""

    def __call__(self, rows: Sequence[Sequence[int]], max_new_tokens: int) -> list[Written]: ...


class T5Generator:
    """Fulfils the `Generator` port over a folder's tokenizer and any runtime.

    Args:
        folder: config.json and tokenizer.json.
        writer: Runs the model.
        settings: Limits, threshold and the words for "nothing answers".
    """

    def __init__(self, folder: Path, writer: Writer, settings: config.Generator) -> None:
        self.name = f"t5:{settings.model}" if not Path(str(settings.model)).is_dir() else f"t5:{folder.name}"
        self.max_prompt_tokens = settings.max_prompt_tokens
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        self._writer = writer
        self._settings = settings

    def count_tokens(self, text: str) -> int:
        """Returns the tokens of a prompt, its end token included."""
        return len(self._encode(text))

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int | None = None) -> list[Draft]:
        """See the port.

        A draft's confidence is the geometric mean of its tokens' probabilities; below `min_confidence` it abstains.

        Raises:
            RowRefusedError: A prompt is longer than `max_prompt_tokens`.
        """
        drafts = [abstention(_nothing_to_read(prompt)) for prompt in prompts]
        asked = [index for index, draft in enumerate(drafts) if not draft.reason]
        rows = [self._encode(prompts[index].text) for index in asked]
        refuse_long([len(row) for row in rows], self.max_prompt_tokens, self.name)
        written = self._writer(rows, max_new_tokens or self._settings.max_new_tokens)
        for index, (tokens, confidence) in zip(asked, written, strict=True):
            drafts[index] = self._read(tokens, confidence, len(prompts[index].passages))
        return drafts

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def _read(self, tokens: list[int], confidence: float, passages: int) -> Draft:
        output = self._tokenizer.decode(tokens, skip_special_tokens=True)
        draft = read_draft(output, confidence, passages, self._settings.unanswerable)
        wanted = self._settings.min_confidence
        if draft.abstained or confidence >= wanted:
            return draft
        return abstention(f"the model is not sure (confidence {confidence:.2f}, wanted {wanted:.2f})", confidence)


@lru_cache(maxsize=2)
def load_t5(settings: config.Generator) -> Generator:
    """Returns the configured T5-family generator, loaded once a process.

    Raises:
        ModelError: No model is named, its folder is incomplete or of another kind, or the device is not there.
    """
    if not settings.model:
        raise ModelError("Expected generator.model to name a T5-family model (google/flan-t5-base, or a folder).")
    if settings.runtime == "ctranslate2":
        refuse_gpu(settings.device, settings.runtime, "generator")
    folder = locate(settings.model)
    check_folder(folder)
    if (folder / WEIGHTS).is_file():
        return _load_grounded(folder, settings)
    return T5Generator(folder, _load_writer(folder, settings), settings)


def _load_grounded(folder: Path, settings: config.Generator) -> Generator:
    if settings.runtime != "torch":
        raise ModelError(
            f"Expected generator.runtime torch for {settings.model}, which copies token by token, "
            f"found {settings.runtime}. Set generator.runtime to torch.",
            model=settings.model,
        )
    require(folder, (CALIBRATION,))
    from lakerag.models.t5_grounded.generator import GroundedGenerator

    return GroundedGenerator(folder, settings)


def check_folder(folder: Path) -> None:
    """Checks a model folder before anything is loaded.

    Raises:
        ModelError: A file is missing, or the model is no encoder-decoder.
    """
    require(folder, ("config.json", "tokenizer.json"))
    kind = read_json(folder / "config.json")
    if not kind.get("is_encoder_decoder", kind.get("model_type") == "t5"):
        raise ModelError(
            f"Expected a text-to-text (encoder-decoder) model in {folder}, "
            f"found {kind.get('model_type', 'no model_type in config.json')}. Name a T5-family model.",
            folder=str(folder),
        )
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"The model folder {folder} is incomplete: weights (*.safetensors) missing. Copy the whole folder again.",
            folder=str(folder),
        )


def _load_writer(folder: Path, settings: config.Generator) -> Writer:
    if settings.runtime == "ctranslate2":
        from lakerag.models.t5_ctranslate2 import CTranslate2Writer, converted_t5

        converted = converted_t5(folder, Path(str(settings.model)).name, settings.cache)
        return CTranslate2Writer(folder, converted, prompt_tokens(settings), settings.num_beams, settings.threads)
    from lakerag.models.t5_torch import TorchWriter

    return TorchWriter(folder, prompt_tokens(settings), settings.num_beams, settings.device, settings.threads)


def _nothing_to_read(prompt: Prompt) -> str:
    """Returns why a prompt is not worth a run; empty where it is."""
    if not prompt.question.strip():
        return "the question is empty"
    return "" if prompt.passages else "no passages were found"
