"""An embedder without a model: words hashed to dimensions."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from lakerag.errors import RowRefusedError
from lakerag.models.base import EmbeddingSpace
from lakerag.records import Vectors

DIMENSION = 64


class WordTokenizer:
    """One token a word."""

    def __init__(self, max_tokens: int) -> None:
        self.max_tokens = max_tokens

    def spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


class HashingEmbedder:
    """Fulfils the `Embedder` port; texts that share words are alike. As strict as the real one on length."""

    def __init__(self, max_tokens: int = 254) -> None:
        self.space = EmbeddingSpace("hashing", "0" * 12, "sum", normalised=True, dimension=DIMENSION)
        self.tokenizer = WordTokenizer(max_tokens)
        self.calls: list[list[str]] = []
        """The texts of every call."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        for row, text in enumerate(texts):
            spans = self.tokenizer.spans(text)
            if len(spans) > self.tokenizer.max_tokens:
                raise RowRefusedError(f"Expected at most {self.tokenizer.max_tokens} tokens, found {len(spans)}.")
            for start, end in spans:
                digest = hashlib.sha256(text[start:end].lower().encode()).digest()
                vectors[row, digest[0] % DIMENSION] += 1.0
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
