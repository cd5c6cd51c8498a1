import pytest

from lakerag.models.drafts import read_draft

WORDS = ("unanswerable",)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("It is 324 m tall. [2]", [("It is 324 m tall.", (1,))]),
        (
            "It is [1] tall [2]. Next one is [3, 1]. Third.",
            [("It is tall.", (0, 1)), ("Next one is.", (2, 0)), ("Third.", ())],
        ),
        ("[1] First one. [2] Second one.", [("First one.", (0,)), ("Second one.", (1,))]),
        ("[3] Only one.", [("Only one.", (2,))]),
        ("Mr. Smith went. [1] Dr. No came [2].", [("Mr. Smith went.", (0,)), ("Dr. No came.", (1,))]),
        ("Use rows[2] here [1].", [("Use rows[2] here.", (0,))]),
        ("Twice [1]. [1]", [("Twice.", (0,))]),
        ("324 m", [("324 m", ())]),
    ],
)
def test_sentences_keep_the_passages_they_cite(output: str, expected: list[tuple[str, tuple[int, ...]]]) -> None:
    draft = read_draft(output, 0.7, passages=3, unanswerable=WORDS)
    assert [(sentence.text, sentence.passages) for sentence in draft.sentences] == expected
    assert (draft.confidence, draft.abstained, draft.reason) == (0.7, False, "")


def test_numbers_that_no_passage_has_are_dropped() -> None:
    (sentence,) = read_draft("Text. [0][4][2]", 0.7, passages=3, unanswerable=WORDS).sentences
    assert sentence.passages == (1,)


def test_a_lone_passage_is_cited_without_a_mark() -> None:
    draft = read_draft("324 m. Or more [7].", 0.7, passages=1, unanswerable=WORDS)
    assert [sentence.passages for sentence in draft.sentences] == [(0,), (0,)]


@pytest.mark.parametrize("output", ["unanswerable", " Unanswerable.\n"])
def test_the_words_for_no_answer_abstain(output: str) -> None:
    draft = read_draft(output, 0.9, passages=3, unanswerable=WORDS)
    assert (draft.abstained, draft.sentences, draft.confidence) == (True, (), 0.9)
    assert draft.reason == "the model says that no passage answers"


@pytest.mark.parametrize("output", ["", "  ", "[1]", "..."])
def test_an_empty_output_abstains(output: str) -> None:
    draft = read_draft(output, 0.9, passages=3, unanswerable=WORDS)
    assert (draft.abstained, draft.sentences, draft.reason) == (True, (), "the model wrote nothing")
