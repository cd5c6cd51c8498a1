"""Files of questions: `.txt` with one a line, `.jsonl` with an object a line, `.csv` with a header."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lakerag.errors import SourceError, UsageError


class Asked(NamedTuple):
    """One question of a file; None for what it does not say."""

    question: str
    question_id: str | None = None
    tenant: str | None = None
    groups: list[str] | None = None
    top_k: int | None = None
    filter: str | None = None


def read_questions(path: Path) -> list[Asked]:
    """Returns the questions of a file.

    Args:
        path: Its ending says what it holds. Fields are those of `Asked`; in `.csv`, groups stand
            in one cell with `;` between them.

    Raises:
        SourceError: It cannot be read.
        UsageError: It is of another kind or holds no question, or a line is none; the line is named.
    """
    if path.suffix not in _READERS:
        raise UsageError(f"Expected a file of questions ({', '.join(_READERS)}), found {path.name}.", path=str(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"The questions in {path} cannot be read: {error}.", path=str(path)) from error
    asked = []
    for line, record in _READERS[path.suffix](text):
        try:
            asked.append(_read(record))
        except UsageError as error:
            raise UsageError(f"{path}, line {line}: {error}", path=str(path), line=line) from error
    if not asked:
        raise UsageError(f"Expected at least one question in {path}, found none.", path=str(path))
    return asked


def _text(text: str) -> Iterator[tuple[int, Any]]:
    for line, question in enumerate(text.split("\n"), 1):
        if question.strip():
            yield line, {"question": question.strip()}


def _jsonl(text: str) -> Iterator[tuple[int, Any]]:
    for line, record in enumerate(text.split("\n"), 1):
        if record.strip():
            try:
                yield line, json.loads(record)
            except ValueError as error:
                yield line, error


def _csv(text: str) -> Iterator[tuple[int, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    for record in reader:
        given = {name: value for name, value in record.items() if value}
        if "groups" in given:
            given["groups"] = given["groups"].split(";")
        if given.get("top_k", "").isdigit():
            given["top_k"] = int(given["top_k"])
        yield reader.line_num, given


_READERS: Mapping[str, Callable[[str], Iterator[tuple[int, Any]]]] = {".txt": _text, ".jsonl": _jsonl, ".csv": _csv}

_TYPES: Mapping[str, tuple[type, str]] = {
    "question": (str, "a text"),
    "question_id": (str, "a text"),
    "tenant": (str, "a text"),
    "groups": (list, "a list of texts"),
    "top_k": (int, "a whole number"),
    "filter": (str, "a text"),
}


def _read(record: Any) -> Asked:
    if not isinstance(record, dict):
        raise UsageError(f"expected an object with the field question, found {record}.")
    unknown = [str(name) for name in record if name not in _TYPES]
    if unknown:
        raise UsageError(f"expected the fields {', '.join(_TYPES)}, found {', '.join(unknown)}.", fields=unknown)
    given = {name: value for name, value in record.items() if value is not None}
    for name, value in given.items():
        kind, wanted = _TYPES[name]
        of_texts = not isinstance(value, list) or all(isinstance(item, str) for item in value)
        if not isinstance(value, kind) or isinstance(value, bool) or not of_texts:
            raise UsageError(f"expected {wanted} in the field {name}, found {value!r}.", field=name)
    if not given.get("question", "").strip():
        raise UsageError("expected a question, found none.")
    return Asked(**given)
