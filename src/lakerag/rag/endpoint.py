"""What the registered model does with a request; knows nothing of MLflow."""

from collections.abc import Iterator, Mapping, Sequence
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
from lakerag.rag.batching import Batcher
from lakerag.rag.load import UNREGISTERED, open_pipeline
from lakerag.rag.request import read_questions, task_of
from lakerag.records import Answer, Passage

OVERRIDABLE = ("store", "serving", "registry")
"""Sections that the environment may override, and must where an address had a password; what the answers depend on
stays as it was packaged."""


class Endpoint:
    """A pipeline behind the requests of the scoring server, of batches and of callers in process.

    Args:
        pipeline: Answers.
        defaults: What holds where a request says nothing.
        max_waiting: Requests that may wait for the pipeline.
    """

    def __init__(self, pipeline: RagPipeline, defaults: config.Retrieval, max_waiting: int = 64) -> None:
        self.pipeline = pipeline
        self._defaults = defaults
        self._batcher = Batcher(pipeline.answer, pipeline.max_batch, max_waiting)
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
            packaged: `settings` (of `config.ModelSettings`) and `files`, as they were packaged.
            model_version: What answers call the model.

        Raises:
            ModelError: A file differs from what was packaged.
            CollectionMissingError, MixedSpacesError, DimensionMismatchError, StoreUnavailableError:
                The index is not there, or not of the packaged embedder.
        """
        check_files(folder, packaged["files"])
        return cls._open(located(config.restore(packaged["settings"], OVERRIDABLE), folder), model_version)

    @classmethod
    def _open(cls, settings: config.ModelSettings, model_version: str) -> "Endpoint":
        with ExitStack() as opening:
            pipeline = opening.enter_context(open_pipeline(settings, model_version, traced=True))
            endpoint = cls(pipeline, settings.retrieval, settings.serving.max_waiting)
            endpoint._closing = opening.pop_all()
        return endpoint

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Returns one document a question: its answer, or its passages where the record's task is to search.

        Args:
            data: A text, texts, records (`request.FIELDS`), or a data frame of records.
            params: `top_k`, `mode` and `max_new_tokens` for the whole request.

        Raises:
            UsageError: A request that no configuration could serve.
            OverloadedError: Too many requests wait.
        """
        given, records = params or {}, _records(data)
        questions = read_questions(records, self._defaults, given)
        searching = [task_of(record) == "search" for record in records]
        length = given.get("max_new_tokens")
        self.pipeline.check(questions, length)
        searched = [question for question, search in zip(questions, searching, strict=True) if search]
        asked = [question for question, search in zip(questions, searching, strict=True) if not search]
        passages = iter(self.pipeline.search(searched) if searched else ())
        answers = iter(self._batcher.answer(asked, length) if asked else ())
        return [_passages(next(passages)) if search else to_document(next(answers)) for search in searching]

    def predict_stream(self, data: Any, params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yields what becomes known of one question's answer: `passages`, `text` after `text`, the `answer` document.

        Args:
            data: As for `predict`, with one question.
            params: As for `predict`.

        Raises:
            UsageError: A request that no configuration could serve, or more than one question.
        """
        given = params or {}
        questions = read_questions(_records(data), self._defaults, given)
        if len(questions) != 1:
            raise UsageError(f"Expected one question to stream the answer of, found {len(questions)}.")
        for event in self.pipeline.stream(questions[0], given.get("max_new_tokens")):
            if isinstance(event, str):
                yield {"event": "text", "text": event}
            elif isinstance(event, Answer):
                yield {"event": "answer", **to_document(event)}
            else:
                yield {"event": "passages", **_passages(event)}

    def search(self, data: Any, params: Mapping[str, Any] | None = None) -> list[list[dict[str, Any]]]:
        """Returns the passages of every question, best first, as the documents of `lakerag search`.

        Args:
            data: As for `predict`.
            params: `top_k` and `mode`.

        Raises:
            UsageError: A request that no configuration could serve.
        """
        questions = read_questions(_records(data), self._defaults, params or {})
        return [_passages(found)["passages"] for found in self.pipeline.search(questions)]

    def close(self) -> None:
        """Releases the store."""
        self._closing.close()


def _passages(found: Sequence[Passage]) -> dict[str, Any]:
    """Returns passages as the document of `lakerag search`."""
    return {"passages": [asdict(passage) for passage in found]}


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
