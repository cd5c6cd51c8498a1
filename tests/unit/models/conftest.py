import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "world", "##s", "a", "b", "cafe", "日", "本"]


def word_pieces() -> Tokenizer:
    """A BERT tokenizer of twelve words, saved with truncation and padding as published models are."""
    vocabulary = {word: number for number, word in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    return tokenizer


@pytest.fixture
def model_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes the text files of a sentence-transformers folder (no weights); keywords replace files, None omits one."""

    def write(**files: Any) -> Path:
        contents: dict[str, Any] = {
            "modules": [
                {"path": "", "type": "sentence_transformers.models.Transformer"},
                {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
            ],
            "config": {"hidden_size": 8, "max_position_embeddings": 32, "pad_token_id": 0, "model_type": "bert"},
            "sentence_bert_config": {"max_seq_length": 16, "do_lower_case": False},
            "tokenizer_config": {"model_max_length": 24},
            "pooling": {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
        }
        contents |= files
        pooling = contents.pop("pooling")
        (tmp_path / "1_Pooling").mkdir(exist_ok=True)
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        for name, content in contents.items():
            if content is not None:
                (tmp_path / f"{name}.json").write_text(json.dumps(content))
        word_pieces().save(str(tmp_path / "tokenizer.json"))
        return tmp_path

    return write
