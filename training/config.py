"""The recipe's settings, read from one YAML file; every step takes `--config FILE`."""

import argparse
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml


@dataclass(frozen=True)
class TokenizerSettings:
    """The vocabulary, special tokens included, and how much text one source may bring to it."""

    vocabulary: int = 20480
    chars_per_source: int = 5_000_000


@dataclass(frozen=True)
class Shape:
    """The T5; width, heads and inner width are the teacher's, so that its weights fit."""

    width: int = 384
    heads: int = 12
    inner: int = 1536
    encoder_layers: int = 8
    decoder_layers: int = 3


@dataclass(frozen=True)
class Run:
    """One training run: at most `steps` steps and at most `seconds`, those of compiling aside.

    The learning rate follows whichever is nearer.
    """

    steps: int
    seconds: float
    batch: int
    rate: float
    warmup: float = 0.03
    floor: float = 0.03


@dataclass(frozen=True)
class ReaderSettings:
    """The teacher that reads: rounds of self-training, then the share of its labels that is kept."""

    epochs: int = 3
    batch: int = 32
    rate: float = 5e-5
    rounds: int = 3
    keep: float = 0.75


@dataclass(frozen=True)
class WriterSettings:
    """How the question writer is tuned, and how many sentences it asks about, `batch` at a time."""

    run: Run = Run(steps=320, seconds=45, batch=256, rate=0.006)
    sentences: int = 420_000
    batch: int = 4096
    temperature: float = 0.7


@dataclass(frozen=True)
class TaskSettings:
    """Share of the tasks without their gold passage, and how many held-out tasks are kept for evaluation."""

    unanswerable: float = 0.25
    held_out_questions: int = 1500


@dataclass(frozen=True)
class Mix:
    """How often the tasks of each group stand in one pass: 1 all once, 0.5 half of them."""

    rules: float = 1.0
    written: float = 1.0
    prose: float = 1.0
    """Written questions about textbooks."""
    sentences: float = 1.0
    search: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """Everything that a step reads."""

    texts: Path
    """Folder with docs, questions, natural_qa, exercises and glossary (`.jsonl.xz`)."""
    teacher: Path
    """Folder of all-MiniLM-L6-v2 (config.json, model.safetensors, tokenizer.json)."""
    work: Path
    """Where every step leaves its files and finds those of the steps before it."""
    export: Path
    marks: Path | None = None
    """Answers that were marked in the questions about sentences: question, start, end (csv)."""
    start: Path | None = None
    """An exported folder to go on from: its tokenizer and weights take the place of a transplanted encoder."""
    seed: int = 20
    held_out: float = 0.03
    processes: int = 14
    compile: bool = True
    keep_sources: dict[str, float] = field(default_factory=dict)
    tokenizer: TokenizerSettings = TokenizerSettings()
    shape: Shape = Shape()
    reader: ReaderSettings = ReaderSettings()
    transplant: Run = Run(steps=2000, seconds=90, batch=256, rate=0.01)
    pretrain: Run = Run(steps=8000, seconds=310, batch=128, rate=0.01)
    writer: WriterSettings = WriterSettings()
    tasks: TaskSettings = TaskSettings()
    tune: Run = Run(steps=8000, seconds=420, batch=128, rate=0.008)
    mix: Mix = Mix()
    dropout: float = 0.0
    """While tuning."""


def load_recipe(path: Path) -> Recipe:
    """Reads a recipe; relative paths count from the working directory.

    Raises:
        ValueError: A key is unknown.
    """
    recipe: Recipe = _build(Recipe, yaml.safe_load(path.read_text(encoding="utf-8")))
    recipe.work.mkdir(parents=True, exist_ok=True)
    return recipe


def _build(kind: Any, values: dict[str, Any]) -> Any:
    unknown = set(values) - {f.name for f in fields(kind)}
    if unknown:
        raise ValueError(f"expected keys of {kind.__name__}, found {sorted(unknown)}: correct the recipe")
    hints = get_type_hints(kind)
    made = {}
    for name, value in values.items():
        hint = hints[name]
        is_path = hint is Path or hint == Path | None
        made[name] = _build(hint, value) if is_dataclass(hint) else Path(value) if is_path else value
    return kind(**made)


def recipe_from_arguments(description: str | None) -> Recipe:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, default=Path("training/configs/full.yml"))
    return load_recipe(parser.parse_args().config)
