import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakerag.errors import ModelError
from lakerag.models.sentence_model import read_sentence_model
from lakerag.models.tokenizer import ModelTokenizer, load_tokenizer

Write = Callable[..., Path]


def test_spans_are_characters_of_the_text_and_not_bytes(model_folder: Write) -> None:
    tokenizer = load_tokenizer(str(model_folder()))
    assert tokenizer.spans("café worlds 日本") == [(0, 4), (5, 10), (10, 11), (12, 13), (13, 14)]


def test_nothing_is_truncated_or_padded_whatever_the_file_says(model_folder: Write) -> None:
    tokenizer = load_tokenizer(str(model_folder()))
    assert tokenizer.count("a " * 50_000) == 50_000
    assert tokenizer.spans("a") == [(0, 1)]
    assert tokenizer.spans("") == []


def test_limit_leaves_room_for_the_special_tokens(model_folder: Write) -> None:
    assert load_tokenizer(str(model_folder())).max_tokens == 14


def test_encoding_holds_the_special_tokens_and_keeps_the_order(model_folder: Write) -> None:
    rows = load_tokenizer(str(model_folder())).encode(["hello worlds"] + ["a"] * 1500 + ["b"])
    assert rows[0].tolist() == [2, 4, 5, 6, 3]
    assert rows[-1].tolist() == [2, 8, 3]
    assert len(rows) == 1502


def test_lower_case_folders_read_capitals_and_keep_their_offsets(model_folder: Write) -> None:
    settings = {"max_seq_length": 16, "do_lower_case": True}
    tokenizer = ModelTokenizer(read_sentence_model(model_folder(sentence_bert_config=settings)))
    assert tokenizer.encode(["HELLO"])[0].tolist() == [2, 4, 3]
    assert tokenizer.spans("HELLO WORLD") == [(0, 5), (6, 11)]


def test_a_damaged_tokenizer_file_is_named(model_folder: Write) -> None:
    folder = model_folder()
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"Expected a tokenizer in .*tokenizer\.json"):
        load_tokenizer(str(folder))


def test_spans_are_ordered_and_inside_any_text(model_folder: Write) -> None:
    tokenizer = load_tokenizer(str(model_folder()))

    @given(st.text(max_size=200))
    def check(text: str) -> None:
        spans = tokenizer.spans(text)
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)
        assert len(spans) == tokenizer.count(text)

    check()


def test_importing_models_imports_no_runtime() -> None:
    program = (
        "import sys, pkgutil, importlib, lakerag.models as package\n"
        "for module in pkgutil.iter_modules(package.__path__):\n"
        "    importlib.import_module(f'lakerag.models.{module.name}')\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'sentence_transformers', 'ctranslate2', 'huggingface_hub'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
