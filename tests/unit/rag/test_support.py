import pytest

from lakerag.rag.support import SupportCheck, find_quote, overlap
from tests.fakes.rag import WordEmbedder


@pytest.mark.parametrize(
    ("quote", "text", "found"),
    [
        ("one two", "zero one two three", [(5, 12)]),
        ("one two", "one\n  two, then ONE two", [(0, 9), (16, 23)]),
        ("one two", "one\n  two, then one two", [(16, 23)]),
        ("one two", "one two one two", [(0, 7), (8, 15)]),
        ("10", "in 1066 or 110", []),
        ("10", "10 of 10.", [(0, 2), (6, 8)]),
        ("a.b(c)*", "use a.b(c)* here, not axb(c)", [(4, 11)]),
        ("東京", "首都は東京です", [(3, 5)]),
        ("Ärger", "viel Ärger", [(5, 10)]),
        (" ", "anything", []),
        ("absent", "", []),
    ],
)
def test_quote_is_found_at_word_boundaries_whatever_the_white_space(
    quote: str, text: str, found: list[tuple[int, int]]
) -> None:
    assert find_quote(quote, text) == found


@pytest.mark.parametrize(
    ("sentence", "passage", "share"),
    [
        ("The tables keep versions", "a table keeps all its versions", 1.0),
        ("Tables keep colours", "a table keeps all its versions", 2 / 3),
        ("Tables keep 30 versions", "a table keeps all its versions", 0.0),
        ("Tables keep no versions", "a table keeps all its versions", 0.0),
        ("It is", "it is", 0.0),
    ],
)
def test_overlap_counts_content_words_and_insists_on_numbers_and_negations(
    sentence: str, passage: str, share: float
) -> None:
    assert overlap(sentence, passage) == pytest.approx(share)


def test_sentence_needs_both_overlap_and_similarity() -> None:
    check = SupportCheck(WordEmbedder(), min_overlap=0.5, min_similarity=0.6)
    assert check.supported(
        [
            ("tables keep versions", "all tables keep their versions"),
            ("tables keep versions", "rivers run to the sea"),
            ("tables keep versions", "x x x x x x tables keep versions"),
        ]
    ) == [True, False, False]


def test_all_likely_pairs_share_one_embedding_call() -> None:
    embedder = WordEmbedder()
    SupportCheck(embedder).supported([("tables keep versions", "tables keep versions too"), ("sea", "delta")])
    assert embedder.calls == [["tables keep versions", "tables keep versions too"]]


def test_nothing_likely_costs_no_embedding() -> None:
    embedder = WordEmbedder()
    assert SupportCheck(embedder).supported([("sea", "delta")]) == [False]
    assert SupportCheck(embedder).supported([]) == []
    assert embedder.calls == []


def test_text_over_the_embedders_limit_supports_nothing() -> None:
    long = " ".join(["delta"] * 13)
    assert SupportCheck(WordEmbedder()).supported([("delta", long)]) == [False]
