import pytest

from lakerag import config
from lakerag.config import Generator, Template
from lakerag.errors import ConfigError, UsageError
from lakerag.rag.prompt import PromptBuilder
from tests.fakes.rag import passage

SETTINGS = Generator(prompt="Q {question} P {passages}", passage="[{n}] {title}: {text}")


def words(text: str) -> int:
    return len(text.split())


def test_whole_passages_are_laid_into_the_templates_best_first() -> None:
    prompt = PromptBuilder(SETTINGS, words, 100).build("why?", [passage("one two", "a"), passage("three", "b")])
    assert prompt.text == "Q why? P [1] Title a: one two\n[2] Title b: three"
    assert (prompt.question, prompt.tokens, prompt.dropped) == ("why?", 12, 0)
    assert [p.chunk_id for p in prompt.passages] == ["a", "b"]


def test_lowest_ranked_passages_are_dropped_whole_and_counted() -> None:
    passages = [passage("one two", "a"), passage("three four", "b"), passage("five", "c")]
    prompt = PromptBuilder(SETTINGS, words, 13).build("why?", passages)
    assert prompt.text == "Q why? P [1] Title a: one two\n[2] Title b: three four"
    assert (prompt.tokens, prompt.dropped) == (13, 1)


def test_prompt_without_a_fitting_passage_keeps_the_question() -> None:
    prompt = PromptBuilder(SETTINGS, words, 4).build("why?", [passage("one two")])
    assert (prompt.text, prompt.passages, prompt.dropped) == ("Q why? P ", (), 1)


def test_question_over_the_budget_is_refused_not_cut() -> None:
    with pytest.raises(UsageError, match="fits the 4 tokens of the generator, found 6"):
        PromptBuilder(SETTINGS, words, 4).build("a b c d", [passage("one")])


def test_braces_in_question_and_passage_are_text() -> None:
    prompt = PromptBuilder(SETTINGS, words, 100).build("{passages}", [passage("{question} {0}")])
    assert prompt.text == "Q {passages} P [1] Title c1: {question} {0}"


def test_generator_without_a_prompt_of_its_own_drops_nothing() -> None:
    prompt = PromptBuilder(SETTINGS, lambda text: 0, 1).build("why?", [passage("one two three four five six")] * 50)
    assert (len(prompt.passages), prompt.tokens, prompt.dropped) == (50, 0, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Generator(prompt="{question}"), "generator.prompt: expected the fields passages, question"),
        (Generator(prompt="{question} {passages} {mood}"), "found mood, passages, question"),
        (Generator(prompt="{question} {passages"), "generator.prompt: expected a template"),
        (Generator(passage="{title}"), "generator.passage: expected the fields text out of"),
        (Generator(passage="{text.__class__}"), "generator.passage: expected the fields text"),
    ],
)
def test_template_that_cannot_be_filled_is_refused(settings: Generator, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PromptBuilder(settings, words, 100)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("lakerag-t5", "question: why? <p1>  one"),
        ("/models/generator/lakerag-t5", "question: why? <p1>  one"),
        ("google/Flan-T5-base", "[1] Title a: one\n\nAnswer the question"),
        ("t5-base", "question: why? context: [1] Title a: one"),
        (None, "question: why? context: [1] Title a: one"),
    ],
)
def test_every_family_has_its_template_in_conf(model: str | None, text: str) -> None:
    settings = config.load("local", environ={}).generator.model_copy(update={"model": model})
    assert PromptBuilder(settings, words, 100).build("why?", [passage("one", "a")]).text.startswith(text)


def test_a_setting_takes_the_place_of_the_family_and_families_are_tried_in_order() -> None:
    families = (Template(models="mine*", prompt="{question} | {passages}"), Template(models="*"))
    mine = Generator(model="me/Mine-2", templates=families, passage="{text}")
    assert PromptBuilder(mine, words, 100).build("why?", [passage("one", "a")]).text == "why? | one"
    with pytest.raises(ConfigError, match=r"whose `models` fits 'other', found mine\*"):
        PromptBuilder(Generator(model="other", templates=families[:1]), words, 100)
