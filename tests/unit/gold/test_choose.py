"""The settings say who cuts."""

import pytest

from lakerag.config import Chunking
from lakerag.errors import ConfigError
from lakerag.gold.choose import load_chunker
from lakerag.gold.chunker import Chunk, Chunker


class Letters:
    max_tokens = 60

    def spans(self, text: str) -> list[tuple[int, int]]:
        return [(at, at + 1) for at in range(len(text))]

    def count(self, text: str) -> int:
        return len(text)


class Halves:
    """A chunker of somebody else's."""

    def __init__(self, tokenizer: object, chunking: Chunking) -> None:
        self.tokens = chunking.chunk_tokens

    def cut(self, text: str, page_starts: tuple[int, ...] = ()) -> list[Chunk]:
        return [Chunk(0, self.tokens, text[: self.tokens], "", text[: self.tokens], self.tokens, 0, 0)]


def test_structure_is_the_default() -> None:
    assert isinstance(load_chunker(Chunking(chunk_tokens=50), Letters()), Chunker)


def test_a_factory_is_found_by_its_name() -> None:
    chunker = load_chunker(Chunking(chunker=f"{__name__}:Halves", chunk_tokens=9), Letters())
    assert [chunk.text for chunk in chunker.cut("twelve words")] == ["twelve wo"]


@pytest.mark.parametrize("name", ["nowhere:at_all", "lakerag.gold.chunker:Nobody", "sentences", ""])
def test_a_wrong_name_says_what_was_expected(name: str) -> None:
    with pytest.raises(ConfigError, match="module:factory"):
        load_chunker(Chunking(chunker=name), Letters())
