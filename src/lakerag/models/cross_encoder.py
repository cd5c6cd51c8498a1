"""The Reranker over a cross-encoder: a model that reads question and passage together."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lakerag.config import Retrieval
from lakerag.errors import ModelError
from lakerag.models.base import Reranker
from lakerag.models.locate import locate, require
from lakerag.records import Passage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH = 16
"""Pairs that are read at a time."""


class CrossEncoder:
    """Fulfils the `Reranker` port in torch, on the CPU.

    Args:
        model: A transformers model for sequence classification with one output, or with two of which the last is
            relevance.
        tokenizer: Its own.
    """

    def __init__(self, model: Any, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._model = model
        self._tokenizer = tokenizer

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        scores = [
            score
            for first in range(0, len(passages), BATCH)
            for score in self._score(question, [passage.text for passage in passages[first : first + BATCH]])
        ]
        scored = [replace(passage, score=score) for passage, score in zip(passages, scores, strict=True)]
        return sorted(scored, key=lambda passage: -passage.score)

    def _score(self, question: str, texts: list[str]) -> list[float]:
        import torch

        pairs = self._tokenizer(
            [question] * len(texts), texts, truncation="only_second", padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            logits = self._model(**pairs).logits
        return [float(score) for score in logits[:, -1]]


def load_reranker(settings: Retrieval) -> Reranker | None:
    """Returns the configured reranker; none is the default.

    Raises:
        ModelError: The model is not there, incomplete or no cross-encoder.
    """
    return None if settings.reranker is None else _load(settings.reranker)


@functools.cache
def _load(name: str) -> CrossEncoder:
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    folder = locate(name)
    require(folder, ("config.json",))
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"Expected a cross-encoder in {folder}, found a model that does not load: {error}. "
            "Copy the folder again, or name another retrieval.reranker.",
            folder=str(folder),
        ) from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"Expected a cross-encoder in {folder}, found weights without {', '.join(missing[:3])}: "
            "a model that reads texts one by one, such as an embedder, scores no pairs. Name a cross-encoder.",
            folder=str(folder),
        )
    return CrossEncoder(model.eval(), tokenizer)
