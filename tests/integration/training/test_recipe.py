"""The whole recipe, step by step, on texts of its own making."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import T5ForConditionalGeneration

from lakerag import config
from lakerag.errors import ModelError
from lakerag.models.t5 import load_t5
from lakerag.models.t5_grounded import layout, load_grounded_t5
from lakerag.records import Passage, Prompt
from training import calibrate, evaluate, export, pretrain, selftrain, tasks, tokenizer, transplant, tune, writer
from training.config import Mix, Recipe
from training.corpus import is_held_out, read_lines

STEPS = (tokenizer, selftrain, transplant, pretrain, writer, tasks, tune, evaluate, export, calibrate)


@pytest.fixture(scope="module")
def trained(recipe: Recipe) -> Recipe:
    for step in STEPS:
        step.main(recipe)
    return recipe


def test_the_exported_folder_loads_into_a_plain_t5_that_writes(trained: Recipe) -> None:
    model, words = load_grounded_t5(trained.export)
    prompt = words(layout.render("How long is the Arda?", ["The Arda is 100 km long."]), return_tensors="pt").input_ids

    written = model.generate(input_ids=prompt, max_new_tokens=4, do_sample=False)

    assert isinstance(model, T5ForConditionalGeneration)
    assert written.shape[0] == 1


def test_packed_weights_give_nearly_the_trained_probabilities(trained: Recipe) -> None:
    assert export.largest_difference(trained) < 0.01


def asked(question: str, *texts: str) -> Prompt:
    return Prompt(question, tuple(Passage("", "", "", "", "", text, 0, len(text), 0.0) for text in texts), "", 0, 0)


def test_answers_are_copied_from_the_passage_that_they_cite(trained: Recipe) -> None:
    generator = load_t5(config.Generator(kind="t5", model=str(trained.export), min_confidence=0))
    prompts = [asked("How long is the Arda?", "The Arda\n is 100 km long.", "Zwölf.", ""), asked("Who?", "Bela.")]

    drafts = generator.generate(prompts)

    for prompt, draft in zip(prompts, drafts, strict=True):
        for sentence in draft.sentences:
            assert sentence.text in prompt.passages[sentence.passages[0]].text
    assert any(draft.sentences for draft in drafts)


def test_a_batch_answers_as_its_questions_do_alone(trained: Recipe) -> None:
    generator = load_t5(config.Generator(kind="t5", model=str(trained.export), min_confidence=0))
    prompts = [asked("How long is the Arda?", "The Arda is 100 km long.", "Bela."), asked("Who?", "The Esk.")]

    together = generator.generate(prompts)

    assert [d.sentences for d in together] == [generator.generate([prompt])[0].sentences for prompt in prompts]


def test_without_passages_or_question_it_abstains(trained: Recipe) -> None:
    generator = load_t5(config.Generator(kind="t5", model=str(trained.export), min_confidence=0))

    drafts = generator.generate([asked("How long?"), asked(" ", "The Arda is 100 km long.")])

    assert [(d.abstained, d.reason) for d in drafts] == [
        (True, "no passages were found"),
        (True, "the question is empty"),
    ]


def test_below_the_wanted_confidence_it_abstains(trained: Recipe) -> None:
    generator = load_t5(config.Generator(kind="t5", model=str(trained.export), min_confidence=1))

    [draft] = generator.generate([asked("How long is the Arda?", "The Arda is 100 km long.")])

    assert draft.abstained
    assert "the model is not sure" in draft.reason


def test_a_runtime_that_cannot_restrict_the_copy_is_refused(trained: Recipe) -> None:
    with pytest.raises(ModelError, match=r"Expected generator\.runtime torch .* found ctranslate2"):
        load_t5(config.Generator(kind="t5", model=str(trained.export), runtime="ctranslate2"))


def test_folder_without_weights_is_refused_with_the_file_named(trained: Recipe, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(ModelError, match=r"found no model\.int8\.safetensors, tokenizer\.json"):
        load_grounded_t5(tmp_path)


def test_every_mark_of_the_layout_is_one_token_and_survives_decoding(trained: Recipe) -> None:
    words = tokenizer.load(trained)

    ids = words.encode("<p2> 324 m", add_special_tokens=False).ids

    assert ids[0] == words.token_to_id("<p2>")
    assert words.decode(ids, skip_special_tokens=True) == "<p2> 324 m"


def test_a_second_start_of_a_finished_step_changes_nothing(trained: Recipe) -> None:
    before = (trained.work / "tune.npz").stat().st_mtime_ns

    tasks.main(trained)

    assert (trained.work / "tune.npz").stat().st_mtime_ns == before


def test_tuning_inputs_hold_no_word_of_a_held_out_document(trained: Recipe) -> None:
    rows = list(read_lines(trained.texts / "docs.jsonl.xz"))
    held_out = [row for row in rows if is_held_out(row["source"], row["path"], trained.held_out)]
    lengths = {row["text"].split("It is ")[1].split(" ")[0] for row in held_out}
    words = tokenizer.load(trained)
    arrays = np.load(trained.work / "tune.npz")

    texts = " ".join(words.decode(row.tolist()) for n in tasks.LENGTHS for row in arrays[f"inputs_{n}"])

    assert held_out
    assert not [length for length in lengths if f"It is {length} km" in texts]


def test_report_scores_documents_and_search_questions(trained: Recipe) -> None:
    report = json.loads((trained.work / "report.json").read_text())

    assert report["documents, always answering"]["false_refusals"] == 0
    assert {"documents, calibrated", "search, calibrated"} < set(report)


def test_same_seed_trains_the_same_weights(trained: Recipe, tmp_path: Path) -> None:
    first = torch.load(trained.work / "encoder.pt", weights_only=True)
    (trained.work / "encoder.pt").unlink()

    transplant.main(trained)

    again = torch.load(trained.work / "encoder.pt", weights_only=True)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_marked_answers_train_and_those_of_the_last_articles_evaluate(trained: Recipe) -> None:
    guesses = list(read_lines(trained.work / "guesses.jsonl"))
    held_out = list(read_lines(trained.work / "held_out_sentences.jsonl"))

    assert guesses[2] == {"answer": "82", "sure": 1.0}
    assert {row["answer"] for row in held_out if row["citation"]} <= {"103"}
    assert [row["kind"] for row in held_out] == ["sentence"]


def test_a_run_goes_on_from_an_exported_folder(trained: Recipe, tmp_path: Path) -> None:
    further = replace(trained, start=trained.export, work=tmp_path)
    tokenizer.main(further)
    transplant.main(further)

    tuned = torch.load(trained.work / "tuned.pt", weights_only=True)
    begun = torch.load(tmp_path / "encoder.pt", weights_only=True)
    assert (tmp_path / "tokenizer.json").read_bytes() == (trained.work / "tokenizer.json").read_bytes()
    assert begun.keys() == tuned.keys()
    assert all(torch.allclose(begun[name], tuned[name], atol=0.02 * float(tuned[name].abs().max())) for name in tuned)


def test_a_group_of_tasks_that_the_mix_leaves_out_is_not_trained_on(trained: Recipe) -> None:
    arrays = dict(np.load(trained.work / "tune.npz"))
    labels = {
        tuple(label)
        for length in tasks.LENGTHS
        for label, group in zip(arrays[f"labels_{length}"].tolist(), arrays[f"groups_{length}"], strict=True)
        if tasks.GROUPS[group] == "search"
    }
    batches = tune.task_batches(arrays, 4, 0, Mix(search=0))
    seen = {tuple(label) for _, block in islice(batches, 50) for label in block.tolist()}

    unanswerable = {label for label in labels if label[1] == 1}
    assert labels - unanswerable
    assert not seen & (labels - unanswerable)
