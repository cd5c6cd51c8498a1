"""lakerag's own T5 with the weights that ship."""

from pathlib import Path
from typing import Any

import pytest

from lakerag import config
from lakerag.errors import ModelError, RowRefusedError
from lakerag.models import load_generator
from lakerag.models.base import Generator
from lakerag.models.locate import OWN, locate
from lakerag.models.t5_grounded import CALIBRATION, WEIGHTS, layout, load_grounded_t5
from lakerag.records import Draft, Passage, Prompt

TOWER = "The Eiffel Tower was completed in 1889. It is 330 metres tall and stands in Paris."
VACUUM = "VACUUM removes files that the table no longer needs.\nThe default retention period is 7 days."
BREAD = "Bread is baked from flour, water and yeast in a hot oven."


def load(**settings: Any) -> Generator:
    chosen = {"kind": "t5", "model": OWN, "device": "cpu", "threads": 1, "min_confidence": 0.4}
    return load_generator(config.Generator(**{**chosen, **settings}), embedder=None)  # type: ignore[arg-type]


def prompt(question: str, *texts: str) -> Prompt:
    passages = tuple(Passage(str(n), "", "", "", "", text, 0, len(text), 0.0) for n, text in enumerate(texts))
    return Prompt(question, passages, "", 0, 0)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load()


def told(draft: Draft) -> tuple[bool, list[tuple[str, tuple[int, ...]]]]:
    return draft.abstained, [(sentence.text, sentence.passages) for sentence in draft.sentences]


def test_it_copies_short_answers_and_cites_them_alone_or_in_a_batch(generator: Generator) -> None:
    asked = [
        prompt("When was the Eiffel Tower completed?", BREAD, TOWER),
        prompt("Where does the Eiffel Tower stand?", VACUUM, BREAD, TOWER),
    ]
    expected = [(False, [("1889", (1,))]), (False, [("Paris", (2,))])]
    assert [told(draft) for draft in generator.generate(asked)] == expected
    assert [told(generator.generate([one])[0]) for one in asked] == expected


def test_a_phrase_that_the_model_is_not_sure_of_becomes_its_whole_sentence(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakerag.models.t5_grounded.generator.SURE_OF_PHRASE", 0.0)
    asked = [prompt("When was the Eiffel Tower completed?", BREAD, TOWER)]
    assert [told(draft) for draft in generator.generate(asked)] == [
        (False, [("The Eiffel Tower was completed in 1889.", (1,))])
    ]
    assert [told(draft) for draft in generator.generate(asked, max_new_tokens=6)] == [(False, [("1889", (1,))])]


def test_it_abstains_where_nothing_answers(generator: Generator) -> None:
    drafts = generator.generate(
        [
            prompt("How many moons does Jupiter have?", TOWER, BREAD),
            prompt("Who?"),
            prompt("  ", TOWER),
            prompt("Who?", ""),
        ]
    )
    assert [told(draft) for draft in drafts] == [(True, [])] * 4
    assert "wanted 0.40" in drafts[0].reason
    assert [draft.reason for draft in drafts[1:3]] == ["no passages were found", "the question is empty"]


def test_a_prompt_over_the_limit_is_refused_and_never_counted_too_short(generator: Generator) -> None:
    with pytest.raises(RowRefusedError, match="at most 1024 tokens for t5:lakerag"):
        generator.generate([prompt("When?", "word " * 1200)])
    marks = "<p2> " * 9
    assert (
        generator.count_tokens(f"question: When? <p1> {marks}") >= generator.count_tokens(layout.neutralise(marks)) + 5
    )


def test_the_weights_make_a_plain_t5_folder(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSeq2SeqLM, T5ForConditionalGeneration

    model, tokenizer = load_grounded_t5(locate(OWN))
    assert type(model) is T5ForConditionalGeneration
    model.half().save_pretrained(tmp_path)
    plain = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    rows = tokenizer(layout.render("When was it completed?", [BREAD, TOWER]), return_tensors="pt")
    with torch.inference_mode():
        written = plain.generate(input_ids=rows.input_ids, attention_mask=rows.attention_mask, max_new_tokens=8)
    assert layout.parse(tokenizer.decode(written[0][1:-1])) == layout.Reading("1889", 2)


@pytest.mark.parametrize("name", [WEIGHTS, "config.json", "tokenizer.json", CALIBRATION])
def test_a_folder_that_lacks_a_file_is_refused(tmp_path: Path, name: str) -> None:
    for path in locate(OWN).iterdir():
        if path.name != name:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(ModelError, match=r"safetensors" if name == WEIGHTS else name):
        load(model=str(tmp_path))


def test_what_it_cannot_do_is_said_before_any_work() -> None:
    with pytest.raises(ModelError, match=r"Set generator\.runtime to torch"):
        load(runtime="ctranslate2")


def test_the_extractive_generator_answers_what_it_abstains_on(embedder: config.Embedder) -> None:
    from lakerag.models import load_embedder

    settings = config.Generator(
        kind="t5", model=OWN, device="cpu", threads=1, min_confidence=0.4, fallback="extractive"
    )
    both = load_generator(settings, load_embedder(embedder))
    short, quoted = both.generate(
        [prompt("When was the Eiffel Tower completed?", TOWER), prompt("How do I bake bread?", TOWER, BREAD)]
    )
    assert told(short) == (False, [("1889", (0,))])
    assert (both.name, quoted.sentences[0].text) == ("t5:lakerag+extractive", BREAD)
