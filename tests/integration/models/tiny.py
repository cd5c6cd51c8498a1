"""Models of a few kilobytes with the layouts of published ones, random weights and a trained vocabulary."""

import json
from pathlib import Path
from typing import Any, Literal

TEXT = "the quick brown fox jumps over a lazy dog while delta tables keep every version of their rows"


def save_bert_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *TEXT.split(), *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    pieces = {word: number for number, word in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=32,
    ).save_pretrained(folder)


def save_sentence_model(folder: Path, pooling: str, *, normalise: bool, prompt: str = "") -> Path:
    """Writes a published folder's layout around a two-layer BERT of dimension 16 that reads 32 word pieces."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(7)
    model = folder / "model"
    save_bert_tokenizer(model)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=80, max_position_embeddings=32, **sizes)).save_pretrained(model)
    kinds = ["Transformer", "Pooling", "Normalize"][: 3 if normalise else 2]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": number, "name": str(number), "path": paths[number], "type": f"sentence_transformers.models.{kind}"}
        for number, kind in enumerate(kinds)
    ]
    flag = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}[pooling]
    flags = {f"pooling_mode_{name}": name == flag for name in ("cls_token", "mean_tokens", "max_tokens")}
    write_json(model / "modules.json", modules)
    write_json(model / "1_Pooling" / "config.json", {"word_embedding_dimension": 16, **flags})
    write_json(model / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    prompts = {"prompts": {"given": prompt}, "default_prompt_name": "given"} if prompt else {}
    write_json(model / "config_sentence_transformers.json", {"__version__": {}, **prompts})
    return model


def save_cross_encoder(folder: Path) -> Path:
    """Writes a two-layer BERT that gives a pair of texts one number; it reads 32 word pieces."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(5)
    save_bert_tokenizer(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=80, max_position_embeddings=32, num_labels=1, initializer_range=0.5, **sizes)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def save_t5(folder: Path, layout: Literal["t5-base", "flan-t5"]) -> Path:
    """Writes a two-layer T5: ReLU and tied embeddings, or gated GELU and an output layer of its own."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(3)
    vocabulary = save_t5_tokenizer(folder)
    flan = layout == "flan-t5"
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=vocabulary,
            d_model=16,
            d_kv=8,
            d_ff=32,
            num_layers=2,
            num_heads=2,
            feed_forward_proj="gated-gelu" if flan else "relu",
            tie_word_embeddings=not flan,
            decoder_start_token_id=0,
            initializer_factor=8.0 if flan else 2.0,  # so that outputs differ from prompt to prompt
        )
    )
    model.save_pretrained(folder)
    return folder


def save_t5_tokenizer(folder: Path) -> int:
    """A SentencePiece-like unigram vocabulary of words and letters; returns its size.

    It is written down, for a trained one differs from run to run, and with it the weights' shapes.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = f"question: context: title: {TEXT} {TEXT.upper()}".split()  # no citation marks: they would be cut off
    letters = sorted({letter for word in words for letter in word})
    scores = dict.fromkeys(["<pad>", "</s>", "<unk>"], 0.0) | {f"▁{word}": -3.0 for word in words}
    scores |= dict.fromkeys(["▁", *letters], -6.0)
    tokenizer = Tokenizer(models.Unigram(list(scores.items()), unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    saved = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )
    saved.save_pretrained(folder)
    return len(saved)


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
