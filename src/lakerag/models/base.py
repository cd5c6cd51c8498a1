"""The ports that every model adapter fulfils."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lakerag.records import Draft, Passage, Prompt, Vectors


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """What makes two vectors comparable; its `name` stands in tables and collections."""

    model: str
    revision: str
    """First 12 hex digits of the SHA-256 over weights and tokenizer."""
    pooling: str
    normalised: bool
    dimension: int
    precision: str = ""
    """`int8` where the weights are quantised; empty for floating point."""

    @property
    def name(self) -> str:
        scale = "unit" if self.normalised else "raw"
        parts = (self.model, self.revision, self.pooling, scale, str(self.dimension), self.precision)
        return "/".join(part for part in parts if part)


class Tokenizer(Protocol):
    """The embedder's own tokenizer; loads without a model runtime."""

    max_tokens: int
    """Word pieces that the embedder reads at most, special tokens excluded (254 for MiniLM)."""

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Returns the (start, end) characters of every word piece, special tokens excluded; nothing is cut."""

    def count(self, text: str) -> int:
        """Returns the number of word pieces, special tokens excluded."""


class Embedder(Protocol):
    """Texts to vectors. A text over the token limit is an error, never cut silently."""

    @property
    def space(self) -> EmbeddingSpace: ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Returns one vector a text, in the texts' order, (n, dimension) float32.

        Raises:
            RowRefusedError: A text has more word pieces than the embedder reads.
        """


class Generator(Protocol):
    """Prompts to drafts, batched."""

    name: str
    """Kind and model, shown in every answer (`extractive`, `t5:google/flan-t5-base`)."""
    max_prompt_tokens: int

    def count_tokens(self, text: str) -> int:
        """Returns the length of a prompt in the generator's tokens; 0 where it reads passages only."""

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int | None = None) -> list[Draft]:
        """Returns one draft a prompt, in their order. No passages: it abstains."""


class Reranker(Protocol):
    """Orders passages anew by reading question and passage together."""

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        """Returns the passages, best first, with new scores."""
