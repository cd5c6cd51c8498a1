"""Our own small T5: its text layout (`layout`), and the loader of its packed weights.

The weights are stored as int8 with one scale a row, a quarter of their size in float32. Unpacked they are those of a
plain `T5ForConditionalGeneration`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakerag.errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

WEIGHTS, CONFIG, TOKENIZER = "model.int8.safetensors", "config.json", "tokenizer.json"
CALIBRATION = "calibration.json"
SPECIAL_TOKENS = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
SCALE = ".scale"
"""What the name of a row scale, (rows,) float16, adds to the name of its int8 matrix, (rows, columns)."""


def pack(weights: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Packs matrices to int8 with a scale a row (largest magnitude = 127), and vectors to float16."""
    import torch

    packed: dict[str, torch.Tensor] = {}
    for name, value in weights.items():
        if value.ndim != 2:
            packed[name] = value.half()
            continue
        scale = (value.float().abs().amax(1).clamp(min=1e-6) / 127).half()
        packed[name] = (value.float() / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
        packed[name + SCALE] = scale
    return packed


def unpack(packed: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Returns the weights in float32."""
    return {
        name: value.float() * packed[name + SCALE].float()[:, None] if name + SCALE in packed else value.float()
        for name, value in packed.items()
        if not name.endswith(SCALE)
    }


def load_grounded_t5(folder: Path) -> "tuple[T5ForConditionalGeneration, PreTrainedTokenizerFast]":
    """Loads the model, in float32 and ready to answer, and its tokenizer.

    Raises:
        ModelError: A file is missing.
    """
    missing = [name for name in (WEIGHTS, CONFIG, TOKENIZER) if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"expected {WEIGHTS}, {CONFIG} and {TOKENIZER} in {folder}, found no {', '.join(missing)}: "
            "point the path at a folder that training.export wrote"
        )
    from safetensors.torch import load_file
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    weights = unpack(load_file(folder / WEIGHTS))
    for tied in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"):
        weights[tied] = weights["shared.weight"]
    model: Any = T5ForConditionalGeneration(T5Config.from_json_file(folder / CONFIG))
    model.load_state_dict(weights)
    fast: Any = PreTrainedTokenizerFast
    return model.eval(), fast(tokenizer_file=str(folder / TOKENIZER), **SPECIAL_TOKENS)
