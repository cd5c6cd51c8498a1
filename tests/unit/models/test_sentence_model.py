from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakerag.errors import ModelError
from lakerag.models.sentence_model import SentenceModel, read_sentence_model

Write = Callable[..., Path]


def test_a_published_folder_is_read(model_folder: Write) -> None:
    folder = model_folder()
    assert read_sentence_model(folder) == SentenceModel(
        transformer=folder, pooling=("mean",), normalised=True, dimension=8, limit=16, lower_case=False, pad_id=0
    )


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True}, ("cls",)),
        ({"pooling_mode_max_tokens": True}, ("max",)),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, ("cls", "mean")),
        ({"pooling_mode": "max"}, ("max",)),
        ({"pooling_mode": ["mean", "cls"]}, ("mean", "cls")),
    ],
)
def test_pooling_is_read_in_the_old_and_the_new_spelling(
    model_folder: Write, pooling: dict[str, Any], expected: tuple[str, ...]
) -> None:
    model = read_sentence_model(model_folder(pooling=pooling))
    assert model.pooling == expected
    assert model.dimension == 8 * len(expected)


def test_a_bare_transformer_is_mean_pooled_and_not_normalised(model_folder: Write) -> None:
    model = read_sentence_model(model_folder(modules=None))
    assert (model.pooling, model.normalised) == (("mean",), False)


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, 16),
        ({"sentence_bert_config": {}}, 24),
        ({"sentence_bert_config": None, "tokenizer_config": None}, 32),
        ({"sentence_bert_config": {}, "tokenizer_config": {"model_max_length": 10**30}}, 32),
        (
            {
                "sentence_bert_config": {},
                "tokenizer_config": None,
                "config": {"hidden_size": 8, "max_position_embeddings": 34, "pad_token_id": 1, "model_type": "roberta"},
            },
            32,
        ),
    ],
)
def test_the_limit_is_the_smallest_that_the_folder_names(
    model_folder: Write, files: dict[str, Any], limit: int
) -> None:
    assert read_sentence_model(model_folder(**files)).limit == limit


def test_further_modules_are_named_and_set_the_dimension(model_folder: Write) -> None:
    folder = model_folder(
        modules=[
            {"path": "", "type": "sentence_transformers.models.Transformer"},
            {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"path": "2_Dense", "type": "sentence_transformers.models.Dense"},
        ]
    )
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "config.json").write_text('{"in_features": 8, "out_features": 4}')
    model = read_sentence_model(folder)
    assert (model.extra, model.dimension, model.normalised) == (("Dense",), 4, False)


def test_a_folder_of_another_kind_is_refused(model_folder: Write) -> None:
    modules = [{"path": "", "type": "sentence_transformers.models.WordEmbeddings"}]
    with pytest.raises(ModelError, match="found WordEmbeddings"):
        read_sentence_model(model_folder(modules=modules))


def test_a_missing_tokenizer_is_named(model_folder: Write) -> None:
    folder = model_folder()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json missing"):
        read_sentence_model(folder)
