"""Which chunker cuts the documents: the one by structure, or one that the settings name."""

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from lakerag.config import Chunking
from lakerag.errors import ConfigError
from lakerag.gold.chunker import Chunk, Chunker
from lakerag.models.base import Tokenizer

STRUCTURE = "structure"


class Cutter(Protocol):
    """A chunker; what a factory `(tokenizer, chunking) -> Cutter` returns."""

    def cut(self, text: str, page_starts: Sequence[int] = ()) -> list[Chunk]:
        """Returns the chunks of a document in order, each an exact span of it and within the embedder's tokens."""


def load_chunker(chunking: Chunking, tokenizer: Tokenizer) -> Cutter:
    """Returns the chunker that the settings ask for.

    Raises:
        ConfigError: There is no such factory, or chunks would be longer than the embedder reads.
    """
    if chunking.chunker == STRUCTURE:
        return Chunker(tokenizer, chunking.chunk_tokens, chunking.overlap_tokens)
    module, _, name = chunking.chunker.partition(":")
    try:
        factory = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"chunking.chunker: expected {STRUCTURE} or the `module:factory` of a chunker, found {chunking.chunker!r} "
            f"({error}). Install its package where Spark's workers run.",
            chunker=chunking.chunker,
        ) from error
    return cast(Cutter, factory(tokenizer, chunking))
