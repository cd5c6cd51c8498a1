import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakerag.errors import ConfigError
from lakerag.gold.chunker import MAX_CHARS, Chunker


class Words:
    """A tokenizer of words and marks, of at most four characters a piece, as strict as word pieces are."""

    max_tokens = 60

    def spans(self, text: str) -> list[tuple[int, int]]:
        words = re.finditer(r"\w+|[^\w\s]", text)
        return [(at, min(at + 4, m.end())) for m in words for at in range(m.start(), m.end(), 4)]

    def count(self, text: str) -> int:
        return len(self.spans(text))


def cut(text: str, tokens: int = 20, overlap: int = 0):
    return Chunker(Words(), tokens, overlap).cut(text)


MARKDOWN = st.lists(
    st.sampled_from(
        [
            *(
                "# Top\n",
                "## Sub part\n",
                "A sentence of words. ",
                "Another, with more of them! ",
                "\n\n",
                "- item one\n",
            ),
            *(
                "```\ncode(1)\nmore(2)\n```\n",
                "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n",
                "x" * 90,
                "中文字符",
                " \t",
            ),
        ]
    ),
    max_size=40,
).map("".join)


@given(text=MARKDOWN | st.text(max_size=300), tokens=st.integers(12, 60))
def test_chunks_hold_every_visible_character_exactly_and_fit(text, tokens):
    chunks = cut(text, tokens)
    covered = set()
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        assert Words().count(chunk.embedded_text) == chunk.token_count <= tokens
        assert not covered & set(range(chunk.start, chunk.end))
        covered.update(range(chunk.start, chunk.end))
    assert all(character.isspace() for at, character in enumerate(text) if at not in covered)
    keys = [chunk.key("doc") for chunk in chunks]
    assert len(set(keys)) == len(keys)


def test_headings_above_a_chunk_are_embedded_and_its_own_are_not_repeated():
    text = "# Guide\n\n## Install\n\n" + "Install it with the tool now. " * 4
    first, second = cut(text, 30)
    assert first.text.startswith("# Guide")
    assert first.embedded_text == first.text
    assert (first.heading_path, second.heading_path) == ("Guide", "Guide > Install")
    assert second.embedded_text == f"Guide > Install\n{second.text}"


def test_a_continued_table_repeats_its_header_for_the_embedder_alone():
    rows = "".join(f"| key{i} | value{i} |\n" for i in range(12))
    chunks = cut("| k | v |\n|---|---|\n" + rows, 60)
    assert len(chunks) > 1
    assert chunks[1].embedded_text.startswith("| k | v |\n|---|---|\n| key")
    assert chunks[1].text.startswith("| key")


def test_endless_word_is_bounded_in_characters_and_nothing_is_lost():
    text = "y" * (2 * MAX_CHARS + 5)
    chunks = cut(text, 60)
    assert "".join(chunk.text for chunk in chunks) == text
    assert max(chunk.token_count for chunk in chunks) <= 60


def test_an_edit_changes_the_chunks_around_it_alone():
    sentences = [f"Sentence {i} says that value {i * 37 % 101} is right. " for i in range(400)]
    before = {chunk.key("d") for chunk in cut("".join(sentences), 40)}
    sentences[200] = "Something else stands here now. "
    after = {chunk.key("d") for chunk in cut("".join(sentences), 40)}
    assert 1 <= len(after - before) <= 3
    assert len(before) > 50


def test_equal_chunks_have_keys_of_their_own():
    keys = [chunk.key("d") for chunk in cut("# A\n\nSame words.\n\n# A\n\nSame words.\n\n", 7)]
    assert len(keys) == len(set(keys)) == 2


def test_overlap_repeats_whole_sentences():
    sentences = [f"Item {i} is here. " for i in range(12)]
    chunks = cut("".join(sentences), 24, 8)
    assert len(chunks) > 2
    for before, after in pairwise(chunks):
        assert before.start < after.start < before.end
        assert after.text.startswith("Item")
        assert after.token_count <= 24


@pytest.mark.parametrize("text", ["", "  \n\t\n"])
def test_no_words_give_no_chunks(text):
    assert cut(text) == []


def test_chunks_longer_than_the_embedder_reads_are_refused():
    with pytest.raises(ConfigError, match="the embedder reads 60 word pieces"):
        Chunker(Words(), 61)


@given(text=MARKDOWN, cuts=st.lists(st.integers(1, 300), max_size=4), overlap=st.integers(0, 6))
def test_a_chunk_stands_on_one_page(text, cuts, overlap):
    starts = sorted({0, *(at for at in cuts if at < len(text))})
    for chunk in Chunker(Words(), 20, overlap).cut(text, starts):
        begin, end = [*starts, len(text)][chunk.page - 1 : chunk.page + 1]
        assert begin <= chunk.start < chunk.end <= end


def test_a_text_without_pages_has_page_zero():
    assert [chunk.page for chunk in cut("One. Two.")] == [0]
