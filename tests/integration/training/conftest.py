"""A recipe small enough for a CPU: texts, a teacher and settings that the tests make themselves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel

from training.config import (
    ReaderSettings,
    Recipe,
    Run,
    Shape,
    TaskSettings,
    TokenizerSettings,
    WriterSettings,
)
from training.corpus import write_lines

RIVERS = ("Arda", "Bela", "Corin", "Dovra", "Esk", "Fenna", "Gall", "Hadrin")
SHORT = Run(steps=2, seconds=60, batch=4, rate=0.005)


def river_page(name: str, length: int) -> str:
    return (
        f"# The {name}\n\nThe {name} is a river in the north of the country. It is {length} km long and flows to the "
        f"sea. The town of {name}ford was built at its mouth in {1200 + length}.\n\n"
        f"## Measure the level\n\nTo measure the level, read the gauge at the bridge.\n\n"
        f"To print the level, run:\n\n```\ngauge --river {name.lower()}\n```\n\n"
        f"- `interval`: The minutes between two readings. The default is {length % 60}.\n"
        f"- `unit`: The unit that a reading is printed in.\n"
    )


def write_texts(folder: Path) -> None:
    folder.mkdir()
    pages = [
        {"source": f"rivers/{n % 3}", "path": f"{n}-{name}.md", "text": river_page(name, 100 + 7 * n)}
        for n, name in enumerate(RIVERS * 4)
    ]
    asked = [
        {
            "sentence": f"the {name.lower()} is {n + 80} km long and flows to the sea .",
            "question": f"how long is {name}?",
        }
        for n, name in enumerate(RIVERS * 3)
    ]
    searched = [
        {
            "id": str(n),
            "title": f"{name} {n}",
            "passage": f"The {name} rises in the hills. It was first crossed in {1500 + n} by a bridge of stone.",
            "question": f"When was the {name} crossed?",
            "answers": [str(1500 + n), f"in {1500 + n}"],
        }
        for n, name in enumerate(RIVERS * 3)
    ]
    terms = [{"term": f"reach {n}", "meaning": f"a part of a river, number {n}", "source": "g", "path": str(n)}
             for n in range(20)]  # fmt: skip
    write_lines(folder / "docs.jsonl.xz", pages)
    write_lines(folder / "questions.jsonl.xz", asked)
    write_lines(folder / "natural_qa.jsonl.xz", searched)
    lengths = [(n, row["sentence"].index(str(n + 80)), len(str(n + 80))) for n, row in enumerate(asked)]
    marks = [f"{n},{start},{start + length}" for n, start, length in lengths if n % 3 == 2]
    (folder / "marks.csv").write_text("\n".join(["question,start,end", *marks]), encoding="utf-8")
    write_lines(folder / "glossary.jsonl.xz", terms)


def write_teacher(folder: Path) -> None:
    """Writes a BERT of two layers that has learnt nothing; the recipe must run on it all the same."""
    words = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    words.normalizer = normalizers.BertNormalizer()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    padding = [f"[unused{n}]" for n in range(99)]
    specials = ["[PAD]", *padding, "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=600, special_tokens=specials, show_progress=False)
    words.train_from_iterator([river_page(name, 100) for name in RIVERS], trainer)
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 101), ("[SEP]", 102)]
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=words.get_vocab_size(),
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
    )
    BertModel(config).save_pretrained(folder)
    words.save(str(folder / "tokenizer.json"))


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small only lose by being shared among threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="package")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    home = tmp_path_factory.mktemp("recipe")
    write_texts(home / "texts")
    write_teacher(home / "teacher")
    (home / "work").mkdir()
    return Recipe(
        texts=home / "texts",
        teacher=home / "teacher",
        work=home / "work",
        export=home / "export",
        marks=home / "texts" / "marks.csv",
        held_out=0.2,
        processes=1,
        compile=False,
        tokenizer=TokenizerSettings(vocabulary=500),
        shape=Shape(width=48, heads=4, inner=96, encoder_layers=3, decoder_layers=2),
        reader=ReaderSettings(epochs=1, batch=8, rounds=2, keep=1.0),
        transplant=SHORT,
        pretrain=replace(SHORT, steps=4),
        writer=WriterSettings(run=SHORT, sentences=40, batch=16),
        tasks=TaskSettings(held_out_questions=30),
        tune=SHORT,
    )
