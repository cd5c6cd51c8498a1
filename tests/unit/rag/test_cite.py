from lakerag.rag.cite import cite
from lakerag.rag.support import SupportCheck
from lakerag.records import Citation, Draft, Passage, Prompt, Sentence
from tests.fakes.rag import WordEmbedder, passage

DELTA = passage("Delta keeps versions. It was born in 2019.\nVersions age.", "delta", start=100, score=0.9)
LAKE = passage("A lake holds water. Delta keeps versions.", "lake", start=7, score=0.5)


def cited(
    *sentences: Sentence, passages: tuple[Passage, ...] = (DELTA, LAKE), question: str = "?"
) -> tuple[str, list[tuple[int, str, str, int, int]], int]:
    prompt = Prompt(question, passages, "", 0, 0)
    found = cite([Draft(sentences, 0.9, False)], [prompt], SupportCheck(WordEmbedder()))[0]
    return found.text, [(c.n, c.chunk_id, c.excerpt, c.start, c.end) for c in found.citations], found.dropped


def test_quoted_sentence_cites_its_exact_place_in_the_document() -> None:
    assert cited(Sentence("It was born in 2019.", (0,))) == (
        "It was born in 2019. [1]",
        [(1, "delta", "It was born in 2019.", 122, 142)],
        0,
    )


def test_citation_carries_everything_about_its_passage() -> None:
    prompt = Prompt("?", (DELTA,), "", 0, 0)
    found = cite([Draft((Sentence("Versions age.", (0,)),), 0.9, False)], [prompt], SupportCheck(WordEmbedder()))[0]
    assert found.citations == (
        Citation(1, "delta", "d-delta", "delta.md", "Title delta", "", "Versions age.", 143, 156, 0.9),
    )


def test_numbers_follow_first_use_and_a_place_keeps_its_number() -> None:
    text, citations, _ = cited(
        Sentence("A lake holds water.", (1,)),
        Sentence("Delta keeps versions.", (0, 1)),
        Sentence("A lake holds water.", (1,)),
    )
    assert text == "A lake holds water. [1] Delta keeps versions. [2][3] A lake holds water. [1]"
    assert citations == [
        (1, "lake", "A lake holds water.", 7, 26),
        (2, "delta", "Delta keeps versions.", 100, 121),
        (3, "lake", "Delta keeps versions.", 27, 48),
    ]


def test_sentence_that_names_no_passage_cites_the_best_ranked_that_says_it() -> None:
    text, citations, _ = cited(Sentence("Delta keeps versions.", ()))
    assert text == "Delta keeps versions. [1]"
    assert citations == [(1, "delta", "Delta keeps versions.", 100, 121)]


def test_few_quoted_words_cite_the_sentence_around_them() -> None:
    assert cited(Sentence("2019", ())) == ("2019 [1]", [(1, "delta", "It was born in 2019.", 122, 142)], 0)


def test_full_stop_and_case_of_a_short_answer_are_its_own() -> None:
    assert cited(Sentence("a Lake.", ())) == ("a Lake. [1]", [(1, "lake", "A lake holds water.", 7, 26)], 0)


def test_words_that_stand_twice_cite_the_sentence_nearest_to_the_question() -> None:
    twice = passage("Ada was born in Paris. Bob died in Paris.", "p")
    _, citations, _ = cited(Sentence("Paris", ()), passages=(twice,), question="Where did Bob die?")
    assert citations == [(1, "p", "Bob died in Paris.", 23, 41)]


def test_paraphrase_cites_the_whole_passage_that_supports_it() -> None:
    passages = (passage("A lake holds water.", "lake"), passage("Delta always keeps old versions.", "delta", 50))
    assert cited(Sentence("Delta keeps versions always", ()), passages=passages) == (
        "Delta keeps versions always [1]",
        [(1, "delta", "Delta always keeps old versions.", 50, 82)],
        0,
    )


def test_sentence_without_support_is_dropped_and_counted() -> None:
    assert cited(Sentence("Delta was born in 1999.", (0,)), Sentence("Versions age.", (0,))) == (
        "Versions age. [1]",
        [(1, "delta", "Versions age.", 143, 156)],
        1,
    )


def test_sentence_is_checked_against_the_passage_that_it_names() -> None:
    assert cited(Sentence("A lake holds water.", (0,))) == ("", [], 1)


def test_numbers_of_a_code_block_stand_on_their_own_line() -> None:
    code = passage("Run this:\n\n```\nmake demo\n```\n\nThen wait.", "code")
    text, citations, _ = cited(
        Sentence("Run this:\n\n```\nmake demo\n```", (0,)), Sentence("Then wait.", (0,)), passages=(code,)
    )
    assert text == "Run this:\n\n```\nmake demo\n```\n[1]\nThen wait. [2]"
    assert citations[0] == (1, "code", "Run this:\n\n```\nmake demo\n```", 0, 28)


def test_drafts_stay_with_their_prompts() -> None:
    prompts = [Prompt("?", (DELTA,), "", 0, 0), Prompt("?", (), "", 0, 0), Prompt("?", (LAKE,), "", 0, 0)]
    drafts = [
        Draft((Sentence("Delta has kept versions", (0,)),), 0.9, False),
        Draft((), 0.0, True, "nothing"),
        Draft((Sentence("Water is what a lake holds", (0,)), Sentence("Birds sing", (0,))), 0.9, False),
    ]
    check = SupportCheck(WordEmbedder(), min_overlap=0.5, min_similarity=0.1)
    assert [(found.text, found.dropped) for found in cite(drafts, prompts, check)] == [
        ("Delta has kept versions [1]", 0),
        ("", 0),
        ("Water is what a lake holds [1]", 1),
    ]
