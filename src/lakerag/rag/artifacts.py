"""The files of a packaged model: staged without pickles, hashed, checked again at load."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from lakerag.config import ModelSettings, Section
from lakerag.errors import ModelError
from lakerag.models import embedding_space
from lakerag.models.locate import HUB_FILES, locate

EMBEDDER = "embedder"
GENERATOR = "generator"
RERANKER = "reranker"
CACHE = "cache"
"""Folders of the staged files; `cache` holds what the light runtimes run."""


def stage(settings: ModelSettings, folder: Path) -> dict[str, str]:
    """Copies the models that the settings name into a folder.

    Args:
        settings: Embedder, generator and reranker.
        folder: Empty; afterwards `embedder/NAME`, `cache/` and, where they are, `generator/NAME`, `reranker/NAME`.

    Returns:
        SHA-256 (hex) by path below the folder.

    Raises:
        ModelError: A model is not there or incomplete.
    """
    _copy_model(settings.embedder.model, folder / EMBEDDER)
    if settings.generator.model is not None:
        _copy_model(settings.generator.model, folder / GENERATOR)
    if settings.retrieval.reranker is not None:
        _copy_model(settings.retrieval.reranker, folder / RERANKER)
    for converted in _converted(settings):
        shutil.copytree(converted, folder / CACHE / converted.name)
    return hash_files(folder)


def located(settings: ModelSettings, folder: Path) -> ModelSettings:
    """Returns the settings with the staged models in the place of their names."""
    embedder = {"model": str(folder / EMBEDDER / Path(settings.embedder.model).name), "cache": str(folder / CACHE)}
    changed: dict[str, Section] = {"embedder": settings.embedder.model_copy(update=embedder)}
    if settings.generator.model is not None:
        model = str(folder / GENERATOR / Path(settings.generator.model).name)
        changed["generator"] = settings.generator.model_copy(update={"model": model, "cache": str(folder / CACHE)})
    if settings.retrieval.reranker is not None:
        reranker = str(folder / RERANKER / Path(settings.retrieval.reranker).name)
        changed["retrieval"] = settings.retrieval.model_copy(update={"reranker": reranker})
    return settings.model_copy(update=changed)


def hash_files(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 (hex) of every file by its path below the folder, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _digest(path) for path in files}


def check_files(folder: Path, expected: Mapping[str, str]) -> None:
    """Compares a folder with what was recorded when it was packaged.

    Raises:
        ModelError: Files are missing, changed or new; all are named at once.
    """
    found = hash_files(folder)
    wrong = sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path))
    if wrong:
        raise ModelError(
            f"Expected the model's files in {folder} as they were packaged; {', '.join(wrong)} differ. "
            "Copy the model again, or run `lakerag package`.",
            folder=str(folder),
            files=wrong,
        )


def _copy_model(model: str, target: Path) -> None:
    """Copies tokenizer, settings and safetensors; pickled weights stay behind."""
    source = locate(model)
    for path in sorted({path for pattern in HUB_FILES for path in source.rglob(pattern)}):
        copy = target / Path(model).name / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _converted(settings: ModelSettings) -> Iterator[Path]:
    """Yields the folders that the light runtimes read, so that nothing is converted where the model is loaded."""
    embedder, generator = settings.embedder, settings.generator
    if embedder.runtime != "torch":
        from lakerag.models.onnx_encoder import exported

        yield exported(locate(embedder.model), embedding_space(embedder), embedder.cache).parent
    if generator.model is not None and generator.runtime == "ctranslate2":
        from lakerag.models.t5_ctranslate2 import converted_t5

        yield converted_t5(locate(generator.model), Path(generator.model).name, generator.cache)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
