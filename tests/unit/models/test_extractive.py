import numpy as np
import pytest

from lakerag import config
from lakerag.models.extractive import ExtractiveGenerator
from lakerag.models.extractive.vectors import PieceVectors
from lakerag.records import Draft, Passage, Prompt
from tests.fakes.embedder import HashingEmbedder

VOLCANO = (
    "Mount Halgrim is a mountain in the north. The volcano Halgrim erupted for the last time in 1783. "
    "Its crater holds a lake. Sheep graze on the slopes in summer."
)
BREAD = "Bread is baked from flour and water. Most bakers add salt to the dough. Sourdough rises slowly."


def passage(text: str, title: str = "") -> Passage:
    return Passage("c", "d", "p.md", title, "", text, 0, len(text), 0.5)


def prompt(question: str, *texts: str) -> Prompt:
    return Prompt(question, tuple(passage(text) for text in texts), "", 0, 0)


def generator(embedder: HashingEmbedder | None = None, **settings: float) -> ExtractiveGenerator:
    return ExtractiveGenerator(embedder or HashingEmbedder(), config.Generator(**settings))  # type: ignore[arg-type]


def ask(question: str, *texts: str, **settings: float) -> Draft:
    return generator(**settings).generate([prompt(question, *texts)])[0]


def test_the_sentence_that_answers_comes_first_with_its_passage() -> None:
    draft = ask("When did the volcano Halgrim erupt for the last time?", BREAD, VOLCANO)
    assert not draft.abstained
    assert draft.sentences[0].text == "The volcano Halgrim erupted for the last time in 1783."
    assert draft.sentences[0].passages == (1,)
    assert draft.reason == ""


def test_every_sentence_is_a_verbatim_part_of_its_passages() -> None:
    texts = (VOLCANO, "  É o Halgrim — “vulcão” de 1783…\n\nO Halgrim é alto.  ", BREAD)
    draft = ask("What is o Halgrim?", *texts, min_confidence=0.0)
    assert len(draft.sentences) > 1
    assert all(sentence.text in texts[number] for sentence in draft.sentences for number in sentence.passages)


def test_a_command_travels_with_the_sentence_that_introduces_it() -> None:
    text = "A tool. To start the Halgrim server, run the following command:\n\n```sh\nhalgrim serve --now\n```\n"
    draft = ask("How do I start the Halgrim server?", text, min_confidence=0.0)
    assert draft.sentences[0].text == (
        "To start the Halgrim server, run the following command:\n\n```sh\nhalgrim serve --now\n```"
    )


def test_a_table_row_can_be_the_answer() -> None:
    text = "| Setting | Default |\n|---|---|\n| retry_limit | 7 |\n| cache_folder | tmp |"
    draft = ask("What is the default retry limit?", text, BREAD, min_confidence=0.0)
    assert draft.sentences[0].text == "| retry_limit | 7 |"


def test_a_list_item_can_be_the_answer() -> None:
    text = "Bakers use several tools.\n\n- A lame scores the dough before baking.\n- A peel moves loaves into ovens."
    draft = ask("What moves loaves into ovens?", text, min_confidence=0.0)
    assert draft.sentences[0].text == "A peel moves loaves into ovens."


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_question_is_not_answered(question: str) -> None:
    assert ask(question, VOLCANO, min_confidence=0.0) == Draft((), 0.0, abstained=True, reason="the question is empty")


@pytest.mark.parametrize("texts", [(), ("",), ("# Only a heading\n\n---",)])
def test_nothing_to_quote_is_not_answered(texts: tuple[str, ...]) -> None:
    draft = ask("When did Halgrim erupt?", *texts, min_confidence=0.0)
    assert draft == Draft((), 0.0, abstained=True, reason="no passage has a sentence to quote")


def test_unrelated_passages_are_not_quoted() -> None:
    draft = ask("Who founded the Zurbarán observatory in Quito?", BREAD, VOLCANO)
    assert draft.abstained
    assert draft.sentences == ()
    assert draft.confidence < 0.5
    assert draft.reason.startswith("the passages do not seem to answer the question (confidence 0.")


def test_the_words_of_all_sentences_stay_within_the_limit() -> None:
    for limit in (1, 5, 12, 30):
        draft = ask("When did the volcano Halgrim erupt?", VOLCANO, min_confidence=0.0, max_answer_words=limit)
        words = sum(len(sentence.text.split()) for sentence in draft.sentences)
        assert 1 <= words <= limit


def test_a_sentence_over_the_limit_is_cut_after_a_whole_word() -> None:
    text = "The volcano Halgrim erupted for the last time in 1783 and buried three farms."
    draft = ask("When did the volcano Halgrim erupt?", text, min_confidence=0.0, max_answer_words=9)
    assert draft.sentences[0].text == "The volcano Halgrim erupted for the last time in"


def test_a_further_sentence_is_cut_after_a_clause_or_left_out() -> None:
    first = "The volcano Halgrim erupted for the last time in 1783."
    further = "Its last but one eruption, in the summer of 1721, buried the volcano in ash and three farms."
    ask_for = "When did the volcano Halgrim erupt for the last time?"
    cut = ask(ask_for, f"{first} {further}", min_confidence=0.0, max_answer_words=20)
    assert [sentence.text for sentence in cut.sentences] == [
        first,
        "Its last but one eruption, in the summer of 1721,",
    ]
    left_out = ask(ask_for, f"{first} {further}", min_confidence=0.0, max_answer_words=13)
    assert [sentence.text for sentence in left_out.sentences] == [first]


def test_a_long_block_is_cut_after_a_whole_line() -> None:
    text = "To start the Halgrim server, run:\n\n```\nhalgrim build now\nhalgrim serve now\nhalgrim watch now\n```"
    draft = ask("How do I start the Halgrim server?", text, min_confidence=0.0, max_answer_words=13)
    assert draft.sentences[0].text == ("To start the Halgrim server, run:\n\n```\nhalgrim build now\nhalgrim serve now")


def test_a_sentence_in_two_passages_is_quoted_once_and_cites_both() -> None:
    draft = ask("When did the volcano Halgrim erupt?", VOLCANO, f"{BREAD} {VOLCANO}", min_confidence=0.0)
    texts = [sentence.text for sentence in draft.sentences]
    assert len(texts) == len(set(texts))
    assert draft.sentences[0].passages == (0, 1)


def test_a_list_and_its_items_are_not_quoted_twice() -> None:
    text = "The Halgrim volcano erupted in these years:\n\n- 1783, a great eruption\n- 1821, a small eruption"
    draft = ask("When did the Halgrim volcano erupt?", text, min_confidence=0.0)
    quoted = "\n".join(sentence.text for sentence in draft.sentences)
    assert quoted.count("1783") == 1


def test_all_prompts_are_embedded_in_one_call_and_every_text_once() -> None:
    embedder = HashingEmbedder()
    generator(embedder).generate([prompt("When did Halgrim erupt?", VOLCANO), prompt("What is bread?", BREAD, VOLCANO)])
    assert len(embedder.calls) == 1
    assert len(embedder.calls[0]) == len(set(embedder.calls[0])) == 2 + 4 + 3


def test_sentences_that_were_read_lately_are_not_embedded_again() -> None:
    embedder = HashingEmbedder()
    same = generator(embedder)
    first = same.generate([prompt("When did Halgrim erupt?", VOLCANO)])
    assert same.generate([prompt("When did Halgrim erupt?", VOLCANO)]) == first
    same.generate([prompt("What is bread?", BREAD, VOLCANO)])
    assert [len(call) for call in embedder.calls] == [1 + 4, 1, 1 + 3]


def test_the_sentences_that_were_read_longest_ago_are_forgotten_first() -> None:
    embedder = HashingEmbedder()
    vectors = PieceVectors(embedder, kept=2)
    for pieces in (["a", "b"], ["a"], ["c"], ["a", "b"]):
        vectors.embed(["q"], pieces)
    assert embedder.calls == [["q", "a", "b"], ["q"], ["q", "c"], ["q", "b"]]


def test_batches_give_the_drafts_of_single_calls() -> None:
    prompts = [prompt("When did Halgrim erupt?", VOLCANO, BREAD), prompt("", BREAD), prompt("Who bakes bread?", BREAD)]
    writer = generator(min_confidence=0.0)
    assert writer.generate(prompts) == [writer.generate([one])[0] for one in prompts]
    assert writer.generate([]) == []


def test_text_over_the_embedders_limit_is_read_from_its_start_and_quoted_whole() -> None:
    embedder = HashingEmbedder(max_tokens=12)
    text = "The volcano Halgrim erupted for the last time in 1783 and it buried three farms and a church below it."
    draft = generator(embedder, min_confidence=0.0).generate([prompt("When did " + "the volcano " * 20, text)])[0]
    assert draft.sentences[0].text == text
    assert "The volcano Halgrim erupted for the last time in 1783 and it" in embedder.calls[0]


def test_a_draft_says_how_likely_it_holds_the_answer() -> None:
    sure = ask("When did the volcano Halgrim erupt for the last time?", VOLCANO, min_confidence=0.0)
    unsure = ask("When did the Zurbarán observatory open?", VOLCANO, min_confidence=0.0)
    assert 0 <= unsure.confidence < sure.confidence <= 1
    assert np.isfinite(sure.confidence)
