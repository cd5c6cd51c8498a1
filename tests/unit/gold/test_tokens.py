"""Remembered words give the tokens that the tokenizer gives."""

from hypothesis import given
from hypothesis import strategies as st

from lakerag.gold import tokens
from lakerag.gold.tokens import TokenStarts
from lakerag.models.tokenizer import load_tokenizer

TEXT = st.lists(
    st.sampled_from(
        ["café", "don't", "[CLS]", "x" * 120, "中文", "e\u0301", "\u200b", " ", "\n\n", "\xa0", "\x1c", "##a"]
    )
    | st.text(max_size=12),
    max_size=20,
).map("".join)
MINI_LM = load_tokenizer("all-MiniLM-L6-v2")
STARTS = TokenStarts(MINI_LM)


@given(text=TEXT)
def test_tokens_stand_where_the_tokenizer_says(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    expected = [start for start, _ in MINI_LM.spans(text)]
    assert MINI_LM.parts_at_spaces
    assert STARTS.of(text) == expected
    assert STARTS.of(text) == expected
    assert STARTS.count(text) == len(expected)


def test_what_is_remembered_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(tokens, "MAX_WORDS", 3)
    starts = TokenStarts(MINI_LM)
    assert starts.of("one two three") == [0, 4, 8]
    assert starts.of("four one five") == [0, 5, 9]
    assert len(starts._words) == 3


def test_another_tokenizer_is_asked_each_time() -> None:
    class Letters:
        max_tokens = 9

        def spans(self, text: str) -> list[tuple[int, int]]:
            return [(at, at + 1) for at in range(len(text))]

        def count(self, text: str) -> int:
            return len(text)

    starts = TokenStarts(Letters())
    assert (starts.of("a b"), starts.count("a b")) == ([0, 1, 2], 3)
