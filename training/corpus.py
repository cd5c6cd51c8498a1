"""Documents that the model learns from, cut into passages."""

import hashlib
import json
import lzma
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FENCE = re.compile(r"^\s*(```|~~~)")
HEADING = re.compile(r"^(#{1,6}) +(.+?)\s*#*$")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"“(\[])")
MAX_BLOCK_CHARS = 1300


@dataclass(frozen=True, slots=True)
class Document:
    """One document; `source` is the repository that it comes from, `path` its place there."""

    source: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document of 50 to 200 words, with the headings above it, outermost first."""

    headings: tuple[str, ...]
    blocks: tuple[str, ...]
    starts_section: bool

    @property
    def text(self) -> str:
        return "\n".join(self.blocks)

    @property
    def heading(self) -> str:
        return self.headings[-1] if self.headings else ""


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the rows of a `.jsonl` or `.jsonl.xz` file."""
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes `.jsonl` or `.jsonl.xz`; an unfinished file never carries the final name."""
    partial = path.with_name("partial-" + path.name)
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(partial, "wt", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    partial.replace(path)


def word_list(name: str) -> frozenset[str]:
    """Returns one of the lists of `words.yml`."""
    lists = yaml.safe_load(Path(__file__).with_name("words.yml").read_text(encoding="utf-8"))
    return frozenset(lists[name].split())


def stable_fraction(*keys: str) -> float:
    """Returns a number in [0, 1) that depends on the keys alone: the split is the same on every machine."""
    digest = hashlib.sha256("\x00".join(keys).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def read_documents(path: Path, keep: dict[str, float]) -> list[Document]:
    """Reads the documents; `keep` is the share of a source's documents that is used (default: all)."""
    documents = (Document(row["source"], row["path"], row["text"]) for row in read_lines(path))
    return [d for d in documents if stable_fraction("keep", d.source, d.path) < keep.get(d.source, 1.0)]


def is_held_out(source: str, path: str, share: float) -> bool:
    """Tells whether a document is kept for evaluation: no task, question or pre-training text is made of it."""
    return stable_fraction("held out", source, path) < share


def sentences(text: str) -> list[str]:
    return [part.strip() for part in SENTENCE_END.split(text) if part.strip()]


def squeeze(text: str) -> str:
    return " ".join(text.split())


def cut_into_passages(document: Document) -> list[Passage]:
    """Cuts at headings, then packs whole blocks up to a length that varies from document to document."""
    words_wanted = 50 + int(stable_fraction("length", document.path) * 130)
    passages: list[Passage] = []
    for headings, body in _sections(document.text):
        first, packed, words = True, list[str](), 0
        for block in _blocks(body):
            length = len(block.split())
            if packed and words + length > words_wanted:
                passages.append(Passage(headings, tuple(packed), first))
                first, packed, words = False, [], 0
            packed.append(block)
            words += length
        if packed:
            passages.append(Passage(headings, tuple(packed), first))
    return passages


def _sections(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fenced = False
    for line in text.split("\n"):
        if FENCE.match(line):
            fenced = not fenced
        match = None if fenced else HEADING.match(line)
        if match is None:
            lines.append(line)
            continue
        if "".join(lines).strip():
            yield tuple(title for _, title in path), "\n".join(lines)
        lines = []
        level = len(match[1])
        title = squeeze(match[2].replace("*", ""))
        path = [(depth, above) for depth, above in path if depth < level] + [(level, title)]
    if "".join(lines).strip():
        yield tuple(title for _, title in path), "\n".join(lines)


def _blocks(text: str) -> Iterator[str]:
    """Yields paragraphs, lists, tables and fenced code blocks, each whole unless it is very long."""
    lines: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fence = FENCE.match(line) is not None
        if (fence and not fenced) or (not fenced and not line.strip()):
            yield from _shorten(lines)
            lines = []
        if line.strip() or fenced:
            lines.append(line)
        if fence and fenced:
            yield from _shorten(lines)
            lines = []
        if fence:
            fenced = not fenced
    yield from _shorten(lines)


def _shorten(lines: list[str]) -> Iterator[str]:
    block = "\n".join(lines).strip("\n")
    if len(block) > MAX_BLOCK_CHARS:
        cut = max(block.rfind("\n", 0, MAX_BLOCK_CHARS), block.rfind(" ", 0, MAX_BLOCK_CHARS))
        block = block[: cut if cut > 0 else MAX_BLOCK_CHARS]
    if block.strip():
        yield block
