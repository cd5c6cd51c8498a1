"""What a sentence-transformers folder says about itself, read without any model runtime."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakerag.errors import ModelError
from lakerag.models.locate import read_json, read_json_value, require

LEGACY_POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""The flags of 1_Pooling/config.json before sentence-transformers 5.2, in the order of concatenation."""

OFFSET_POSITIONS = {"camembert", "mpnet", "roberta", "xlm-roberta"}
"""Architectures whose first position has the number `pad_token_id + 1`."""


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """The layout of one sentence-transformers folder."""

    transformer: Path
    """The folder of config.json, tokenizer.json and weights."""
    pooling: tuple[str, ...]
    """Pooling modes, concatenated in this order: `mean`, `cls`, `max`, ..."""
    normalised: bool
    dimension: int
    limit: int
    """Word pieces that the transformer reads at most, special tokens included."""
    lower_case: bool
    """Text is lower-cased before the tokenizer's own normalisation."""
    pad_id: int
    prompt: str = ""
    """What the folder says goes before every text (`default_prompt_name`)."""
    extra: tuple[str, ...] = ()
    """Modules besides transformer, pooling and normalisation (`Dense`): the torch runtime runs them."""


def read_sentence_model(folder: Path) -> SentenceModel:
    """Reads modules.json and the files it names.

    A folder without modules.json is a bare transformer and is mean-pooled, as sentence-transformers does.

    Raises:
        ModelError: A file is missing or unreadable, or the layout is none of sentence-transformers'.
    """
    modules = _modules(folder)
    transformer = modules[0][1]
    require(transformer, ("config.json", "tokenizer.json"))
    config = read_json(transformer / "config.json")
    wrapper = _optional_json(transformer / "sentence_bert_config.json")
    pooling = _pooling(modules[1][1] / "config.json") if (folder / "modules.json").is_file() else ("mean",)
    dense = [int(read_json(path / "config.json")["out_features"]) for kind, path in modules if kind == "Dense"]
    return SentenceModel(
        transformer=transformer,
        pooling=pooling,
        normalised=any(kind == "Normalize" for kind, _ in modules),
        dimension=dense[-1] if dense else len(pooling) * _first(config, "hidden_size", "dim", "d_model"),
        limit=int(wrapper.get("max_seq_length") or _positions(transformer, config)),
        lower_case=bool(wrapper.get("do_lower_case")),
        pad_id=int(config.get("pad_token_id") or 0),
        prompt=_default_prompt(folder),
        extra=tuple(kind for kind, _ in modules[2:] if kind != "Normalize"),
    )


def _modules(folder: Path) -> list[tuple[str, Path]]:
    """Returns class name and folder of every module."""
    path = folder / "modules.json"
    if not path.is_file():
        return [("Transformer", folder), ("Pooling", folder)]
    listed = read_json_value(path)
    if not isinstance(listed, list) or not all(isinstance(m, dict) and {"type", "path"} <= m.keys() for m in listed):
        raise ModelError(f"Expected a list of modules with type and path in {path}.", path=str(path))
    modules = [(str(module["type"]).rpartition(".")[2], folder / module["path"]) for module in listed]
    kinds = [kind for kind, _ in modules]
    if kinds[:2] != ["Transformer", "Pooling"]:
        raise ModelError(
            f"Expected the modules Transformer and Pooling first in {path}, found {', '.join(kinds) or 'none'}. "
            "Name a sentence-transformers text model.",
            path=str(path),
            modules=kinds,
        )
    return modules


def _pooling(path: Path) -> tuple[str, ...]:
    config = read_json(path)
    mode = config.get("pooling_mode")
    if mode is None:
        return tuple(name for flag, name in LEGACY_POOLING.items() if config.get(flag)) or ("mean",)
    return (mode,) if isinstance(mode, str) else tuple(mode)


def _default_prompt(folder: Path) -> str:
    settings = _optional_json(folder / "config_sentence_transformers.json")
    return str((settings.get("prompts") or {}).get(settings.get("default_prompt_name")) or "")


def _positions(transformer: Path, config: dict[str, Any]) -> int:
    """Returns the smaller of the tokenizer's and the position table's limits."""
    positions = _first(config, "max_position_embeddings", "n_positions")
    if config.get("model_type") in OFFSET_POSITIONS:
        positions -= int(config.get("pad_token_id") or 0) + 1
    return min(positions, int(_optional_json(transformer / "tokenizer_config.json").get("model_max_length", positions)))


def _first(config: dict[str, Any], *keys: str) -> int:
    for key in keys:
        if isinstance(config.get(key), int):
            return int(config[key])
    raise ModelError(f"Expected one of {', '.join(keys)} in the model's config.json, found none.", keys=keys)


def _optional_json(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
