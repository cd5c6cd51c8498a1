"""What the registered model does with a request; knows nothing of MLflow."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lakerag import config
from lakerag.errors import UsageError
from lakerag.rag.answer import RagPipeline, to_document
from lakerag.rag.artifacts import check_files, located
from lakerag.rag.load import UNREGISTERED, open_pipeline
from lakerag.rag.request import read_questions

OVERRIDABLE = ("store", "serving")
"""Sections that the environment may override; what the answers depend on stays as it was packaged."""


class Endpoint:
    """A pipeline behind the requests of the scoring server, of batches and of callers in process.

    Args:
        pipeline: Answers.
        defaults: What holds where a request says nothing.
    """

    def __init__(self, pipeline: RagPipeline, defaults: config.Retrieval) -> None:
        self.pipeline = pipeline
        self._defaults = defaults
        self._closing = ExitStack()

    @classmethod
    def open(cls, values: Mapping[str, Any], model_version: str = UNREGISTERED) -> "Endpoint":
        """Opens the pipeline of dumped settings; the store stays open until `close`.

        Args:
            values: What `config.dump` returned: plain values, so that a worker can be told what to open.
            model_version: What answers call the model.

        Raises:
            CollectionMissingError, MixedSpacesError, DimensionMismatchError, StoreUnavailableError, ModelError:
                As the parts do.
        """
        return cls._open(config.restore(values), model_version)

    @classmethod
    def load(cls, folder: Path, packaged: Mapping[str, Any], model_version: str) -> "Endpoint":
        """Opens the packaged pipeline; the store stays open until `close`.

        Args:
            folder: The staged models.
            packaged: `settings` and `files`, as they were packaged.
            model_version: What answers call the model.

        Raises:
            ModelError: A file differs from what was packaged.
            CollectionMissingError, MixedSpacesError, DimensionMismatchError, StoreUnavailableError:
                The index is not there, or not of the packaged embedder.
        """
        check_files(folder, packaged["files"])
        return cls._open(located(config.restore(packaged["settings"], OVERRIDABLE), folder), model_version)

    @classmethod
    def _open(cls, settings: config.Settings, model_version: str) -> "Endpoint":
        with ExitStack() as opening:
            pipeline = opening.enter_context(open_pipeline(settings, model_version))
            endpoint = cls(pipeline, settings.retrieval)
            endpoint._closing = opening.pop_all()
        return endpoint

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Returns one answer document a question.

        Args:
            data: A text, texts, records (`request.FIELDS`), or a data frame of records.
            params: `top_k`, `mode` and `max_new_tokens` for the whole request.

        Raises:
            UsageError: A request that no configuration could serve.
        """
        given = params or {}
        questions = read_questions(_records(data), self._defaults, given)
        return [to_document(answer) for answer in self.pipeline.answer(questions, given.get("max_new_tokens"))]

    def search(self, data: Any, params: Mapping[str, Any] | None = None) -> list[list[dict[str, Any]]]:
        """Returns the passages of every question, best first, as the documents of `lakerag search`.

        Args:
            data: As for `predict`.
            params: `top_k` and `mode`.

        Raises:
            UsageError: A request that no configuration could serve.
        """
        questions = read_questions(_records(data), self._defaults, params or {})
        return [[asdict(passage) for passage in found] for found in self.pipeline.search(questions)]

    def close(self) -> None:
        """Releases the store."""
        self._closing.close()


def _records(data: Any) -> list[Any]:
    """Returns the records of a request, whatever MLflow made of its JSON; what is missing in a frame is None."""
    if isinstance(data, pd.DataFrame):
        return [{str(name): _given(value) for name, value in row.items()} for row in data.to_dict("records")]
    plain = _plain(data)
    if isinstance(plain, dict):
        return _rows(plain) if isinstance(plain.get("question"), list) else [plain]
    return plain if isinstance(plain, list) else [plain]


def _rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the records of a request that gives a list for every field."""
    lengths = {name: len(values) for name, values in columns.items() if isinstance(values, list)}
    if lengths.keys() != columns.keys() or len(set(lengths.values())) != 1:
        raise UsageError("Expected a list of the same length for every field of the request.", lengths=lengths)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _given(cell: Any) -> Any:
    """Returns a cell of a data frame as a plain value; None where it is missing."""
    return None if pd.api.types.is_scalar(cell) and pd.isna(cell) else _plain(cell)


def _plain(value: Any) -> Any:
    """Returns a value without NumPy's types, which MLflow's parser puts everywhere."""
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
