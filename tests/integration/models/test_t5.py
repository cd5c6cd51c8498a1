import json
import math
from pathlib import Path
from typing import Any, Literal

import pytest

from lakerag import config
from lakerag.errors import ModelError, RowRefusedError
from lakerag.models import load_generator
from lakerag.models.base import Generator
from lakerag.records import Passage, Prompt
from tests.integration.models.tiny import TEXT, save_bert_tokenizer, save_t5

Layout = Literal["t5-base", "flan-t5"]
LAYOUTS: list[Layout] = ["t5-base", "flan-t5"]
TEXTS = [
    "question: the fox context: [1] the quick brown fox jumps over a lazy dog",
    "question: rows",
    f"question: version context: [1] {TEXT} [2] {TEXT}",
    "question: tables context: [1] delta tables keep every version of their rows",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Layout, Path]:
    return {layout: save_t5(tmp_path_factory.mktemp(layout), layout) for layout in LAYOUTS}


def prompt(text: str, passages: int = 2, question: str = "What?") -> Prompt:
    passage = Passage("c", "d", "p.md", "Title", "", "text", 0, 4, 0.5)
    return Prompt(question, (passage,) * passages, text, 0, 0)


def load(folder: Path, **settings: Any) -> Generator:
    chosen = {"kind": "t5", "model": str(folder), "device": "cpu", "min_confidence": 0.0, "max_new_tokens": 12}
    return load_generator(config.Generator(**{**chosen, **settings}), embedder=None)  # type: ignore[arg-type]


def written(generator: Generator, texts: list[str]) -> list[tuple[str, float]]:
    drafts = generator.generate([prompt(text) for text in texts])
    return [(" ".join(sentence.text for sentence in draft.sentences), draft.confidence) for draft in drafts]


def reference(folder: Path, text: str, num_beams: int) -> tuple[str, float]:
    """One prompt, no padding, and the probabilities from a forward pass over the finished output."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    inputs = tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        tokens = model.generate(
            input_ids=inputs.input_ids,
            attention_mask=inputs.attention_mask,
            max_new_tokens=12,
            num_beams=num_beams,
            do_sample=False,
        )
        logits = model(**{k: inputs[k] for k in ("input_ids", "attention_mask")}, decoder_input_ids=tokens).logits
    logs = logits.log_softmax(-1)[0, :-1].gather(-1, tokens[0, 1:, None])
    return tokenizer.decode(tokens[0], skip_special_tokens=True).strip(), math.exp(logs.mean())


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_batched_answers_equal_transformers_one_by_one(
    folders: dict[Layout, Path], layout: Layout, num_beams: int
) -> None:
    expected = [reference(folders[layout], text, num_beams) for text in TEXTS]
    found = written(load(folders[layout], num_beams=num_beams), TEXTS)
    assert [text for text, _ in found] == [text for text, _ in expected]
    assert [c for _, c in found] == pytest.approx([c for _, c in expected], abs=1e-4)
    # Texts of random weights may be the same; a confidence in another prompt's place would still show.
    assert len({confidence for _, confidence in expected}) > 1


def test_answers_do_not_depend_on_the_batches(folders: dict[Layout, Path]) -> None:
    assert written(load(folders["flan-t5"], batch_tokens=1), TEXTS) == [
        (text, pytest.approx(confidence, abs=1e-4))
        for text, confidence in written(load(folders["flan-t5"], batch_tokens=4096), TEXTS)
    ]


def test_nothing_is_written_without_passages_or_question(folders: dict[Layout, Path]) -> None:
    drafts = load(folders["t5-base"]).generate([prompt("question: x", passages=0), prompt("x", question=" ")])
    assert [(draft.abstained, draft.sentences, draft.confidence) for draft in drafts] == [(True, (), 0.0)] * 2
    assert [draft.reason for draft in drafts] == ["no passages were found", "the question is empty"]


def test_an_unsure_model_abstains(folders: dict[Layout, Path]) -> None:
    (draft,) = load(folders["t5-base"], min_confidence=1.0).generate([prompt(TEXTS[0])])
    assert draft.abstained
    assert "wanted 1.00" in draft.reason


def test_a_prompt_is_counted_with_its_end_and_refused_over_the_limit(folders: dict[Layout, Path]) -> None:
    generator = load(folders["t5-base"], max_prompt_tokens=20)
    tokens = generator.count_tokens("the fox")
    assert generator.count_tokens("") == 1
    with pytest.raises(RowRefusedError, match="Expected prompts of at most 20 tokens"):
        generator.generate([prompt("the fox " * 20)])
    assert tokens < 20


def test_the_name_tells_kind_and_model(folders: dict[Layout, Path]) -> None:
    assert load(folders["t5-base"]).name == f"t5:{folders['t5-base'].name}"


def test_a_missing_model_is_asked_for() -> None:
    with pytest.raises(ModelError, match=r"Expected generator\.model to name"):
        load_generator(config.Generator(kind="t5"), embedder=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused(tmp_path: Path, name: str) -> None:
    save_t5(tmp_path, "t5-base")
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match="is incomplete: .*safetensors" if "model" in name else name):
        load(tmp_path)


def test_weights_that_lack_a_tensor_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_t5(tmp_path, "t5-base")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["decoder.final_layer_norm.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"decoder\.final_layer_norm\.weight"):
        load(tmp_path)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    save_t5(tmp_path, "t5-base")
    (tmp_path / "model.safetensors").write_bytes(b"half")
    with pytest.raises(ModelError, match="does not load"):
        load(tmp_path)


def test_a_model_that_is_no_text_to_text_model_is_refused(tmp_path: Path) -> None:
    save_bert_tokenizer(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    with pytest.raises(ModelError, match=r"Expected a text-to-text .* found bert"):
        load(tmp_path)


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    save_t5(tmp_path, "t5-base")
    settings = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(settings | {"model_type": "t9", "architectures": ["T9"]}))
    with pytest.raises(ModelError, match="does not load"):
        load(tmp_path)


def test_a_gpu_that_is_not_there_is_said_before_any_work(folders: dict[Layout, Path]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ModelError, match="Expected a GPU"):
        load(folders["t5-base"], device="cuda")
