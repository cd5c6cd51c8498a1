"""The embedder's tokenizer, over the `tokenizers` library alone: no model runtime is imported."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import normalizers, pre_tokenizers

from lakerag.errors import ModelError
from lakerag.models.locate import locate
from lakerag.models.sentence_model import SentenceModel, read_sentence_model

ENCODE_ROWS = 1024
"""Texts encoded at a time: bounds the memory that the library's verbose results take."""


class ModelTokenizer:
    """Word pieces of texts of any length; nothing is ever truncated or padded.

    Args:
        model: The layout of a sentence-transformers folder.

    Raises:
        ModelError: tokenizer.json cannot be read.
    """

    def __init__(self, model: SentenceModel) -> None:
        self._tokenizer = read_tokenizer(model.transformer / "tokenizer.json")
        if model.lower_case:
            present = [self._tokenizer.normalizer] if self._tokenizer.normalizer else []
            self._tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *present])
        self._prompt = model.prompt
        self.fixed_tokens = self._tokenizer.num_special_tokens_to_add(is_pair=False) + self.count(model.prompt)
        """Special tokens and prompt, added to every text."""
        self.max_tokens = model.limit - self.fixed_tokens
        self.parts_at_spaces = isinstance(self._tokenizer.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        """Whether the pieces of a word are the same whatever stands beyond the white space around it."""

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Returns the (start, end) characters of every word piece, in order, special tokens excluded.

        Characters that the tokenizer drops (whitespace, control characters, stripped accents) lie in no span;
        the pieces of one character, where a vocabulary works on bytes, share its span.
        """
        spans: list[tuple[int, int]] = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return spans

    def count(self, text: str) -> int:
        """Returns the number of word pieces, special tokens excluded."""
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Returns the token ids of every text, special tokens and the model's own prompt included."""
        rows: list[npt.NDArray[np.int32]] = []
        for start in range(0, len(texts), ENCODE_ROWS):
            prompted = [self._prompt + text for text in texts[start : start + ENCODE_ROWS]]
            encodings = self._tokenizer.encode_batch_fast(prompted)
            rows += [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]
        return rows


@lru_cache(maxsize=4)
def load_tokenizer(model: str) -> ModelTokenizer:
    """Returns the tokenizer of a model, loaded once a process.

    Args:
        model: A packaged name, a folder, or a hub name, as in the setting `embedder.model`.

    Raises:
        ModelError: The model is not there, or is incomplete.
    """
    return ModelTokenizer(read_sentence_model(locate(model)))


def read_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """Reads a tokenizer.json and switches the truncation and padding saved in it off.

    Raises:
        ModelError: The file is missing or is no tokenizer.
    """
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more precise
        raise ModelError(
            f"Expected a tokenizer in {path}, found: {error}. Copy the model folder again.", path=str(path)
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
