"""Readers of evaluation sets; a wrong record is named by its file and place."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from lakerag.errors import SourceError, UsageError

Located = tuple[str, Mapping[str, Any]]
"""A record, and where it stands: "questions.jsonl, line 3"."""


@dataclass(frozen=True, slots=True)
class RetrievalCase:
    """A query and the documents that answer it."""

    query: str
    relevant: frozenset[str]
    """Paths relative to the source's root, exact; at least one."""


@dataclass(frozen=True, slots=True)
class QaCase:
    """A question, what a right answer says and where it stands."""

    question: str
    answers: tuple[str, ...]
    """Any of them is right; empty where the documents do not answer."""
    paragraph: str = ""
    """The text that the question is about; empty if unknown."""

    @property
    def answerable(self) -> bool:
        return bool(self.answers)


@dataclass(frozen=True, slots=True)
class Reference:
    """A part of a document that a question asks for."""

    text: str
    start: int
    """First character in the document."""
    end: int
    """One past the last character."""


@dataclass(frozen=True, slots=True)
class SpanCase:
    """A question and the parts of one document that answer it."""

    question: str
    corpus: str
    """The document's path, or its file name without the ending."""
    references: tuple[Reference, ...]


def read_retrieval(path: Path) -> list[RetrievalCase]:
    """Returns the queries of a file with one `{query, relevant: [path, ...]}` a line; other keys are ignored.

    Raises:
        SourceError: The file cannot be read.
        UsageError: A line is not of that form, or there is none.
    """
    cases = []
    for place, record in _lines(path, _read(path)):
        relevant = _list(place, record, "relevant")
        if not relevant or not all(isinstance(item, str) for item in relevant):
            _refuse(place, "a list with at least one path under 'relevant'", relevant)
        cases.append(RetrievalCase(_text(place, record, "query"), frozenset(relevant)))
    return cases


def read_qa(path: Path) -> list[QaCase]:
    """Returns the questions of a SQuAD v2 file, or of one `{question, answers: [], is_impossible}` a line.

    Answers are texts or SQuAD's `{text, ...}`. Without `is_impossible`, a question without
    answers is unanswerable. Other keys are ignored.

    Raises:
        SourceError: The file cannot be read.
        UsageError: A line or record is not of that form, or there is none.
    """
    content = _read(path)
    squad = None if path.suffix == ".jsonl" else _squad(path, content)
    if squad is None:
        return [_qa_case(place, record) for place, record in _lines(path, content)]
    cases = list(_squad_cases(path.name, squad))
    return cases or _refuse(path.name, "at least one question", "none")


def read_spans(path: Path) -> list[SpanCase]:
    """Returns the questions of a file with one `{question, corpus, references: [{text, start, end}]}` a line.

    Raises:
        SourceError: The file cannot be read.
        UsageError: A line is not of that form, or there is none.
    """
    return [
        SpanCase(_text(place, record, "question"), _text(place, record, "corpus"), _references(place, record))
        for place, record in _lines(path, _read(path))
    ]


def fingerprint(*paths: Path) -> str:
    """Returns the SHA-256 of the files' bytes, in their order: which set a figure belongs to."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(_bytes(path))
    return digest.hexdigest()


def _squad(path: Path, content: str) -> Mapping[str, Any] | None:
    """Returns the document of a SQuAD file; None for one JSON object a line."""
    try:
        document = json.loads(content)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return None
        _refuse(f"{path.name}, line {error.lineno}", "JSON", error.msg)
    return document if isinstance(document, dict) and "data" in document else None


def _squad_cases(name: str, document: Mapping[str, Any]) -> Iterator[QaCase]:
    for place, article in _items(name, document, "data"):
        for place_in_article, paragraph in _items(place, article, "paragraphs"):
            context = _text(place_in_article, paragraph, "context")
            for place_of_question, record in _items(place_in_article, paragraph, "qas"):
                yield _qa_case(place_of_question, record, context)


def _qa_case(place: str, record: Mapping[str, Any], paragraph: str = "") -> QaCase:
    found = _list(place, record, "answers") if "answers" in record else []
    answers: list[Any] = [answer.get("text") if isinstance(answer, dict) else answer for answer in found]
    if not all(isinstance(answer, str) and answer.strip() for answer in answers):
        _refuse(place, "texts under 'answers'", found)
    impossible = record.get("is_impossible", not answers)
    if not isinstance(impossible, bool):
        _refuse(place, "true or false under 'is_impossible'", impossible)
    if not impossible and not answers:
        _refuse(place, "an answer, or is_impossible true", "neither")
    return QaCase(_text(place, record, "question"), () if impossible else tuple(answers), paragraph)


def _references(place: str, record: Mapping[str, Any]) -> tuple[Reference, ...]:
    references = []
    for at, item in _items(place, record, "references"):
        start, end = (_whole(at, item, name) for name in ("start", "end"))
        if not 0 <= start < end:
            _refuse(at, "0 <= start < end", f"start {start}, end {end}")
        references.append(Reference(_text(at, item, "text"), start, end))
    return tuple(references) or _refuse(place, "at least one reference", "none")


def _read(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(path.name, "UTF-8", f"another byte at {error.start}")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"The evaluation set {path} cannot be read ({error.strerror}).", path=str(path)) from error


def _lines(path: Path, content: str) -> Iterator[Located]:
    """Yields the JSON objects of a file's lines, empty lines aside."""
    filled = [(number, line) for number, line in enumerate(content.split("\n"), 1) if line.strip()]
    if not filled:
        _refuse(path.name, "at least one question", "an empty file")
    for number, line in filled:
        place = f"{path.name}, line {number}"
        try:
            yield place, _object(place, json.loads(line))
        except json.JSONDecodeError as error:
            _refuse(place, "one JSON object", error.msg)


def _items(place: str, record: Mapping[str, Any], name: str) -> Iterator[Located]:
    for n, item in enumerate(_list(place, record, name)):
        yield f"{place}, {name}[{n}]", _object(f"{place}, {name}[{n}]", item)


def _object(place: str, value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _refuse(place, "a JSON object", value)


def _list(place: str, record: Mapping[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    return value if isinstance(value, list) else _refuse(place, f"a list under {name!r}", value)


def _text(place: str, record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) and value.strip() else _refuse(place, f"a text under {name!r}", value)


def _whole(place: str, record: Mapping[str, Any], name: str) -> int:
    value = record.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        _refuse(place, f"a whole number under {name!r}", value)
    return value


def _refuse(place: str, expected: str, found: Any) -> NoReturn:
    shown = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    raise UsageError(f"{place}: expected {expected}, found {shown:.80}.", place=place)
