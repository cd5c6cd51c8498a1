"""JSON and JSON Lines: objects as records, nested names joined by dots; or the fields alone that are their text."""

import json
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from lakerag.silver.parsers.base import Parsed, RefusedError, RefusedRow
from lakerag.silver.parsers.records import from_records, to_block
from lakerag.silver.rights import GROUPS

TEXT_FIELDS = ("text", "content", "body")
"""Where most objects have one of these, the first is their text, and one without it is refused."""


def parse_json(text: str, text_fields: Sequence[str] = ()) -> Parsed:
    """Parses one JSON value: a list of objects as records, anything else as one record.

    Args:
        text: Decoded.
        text_fields: Names (dotted) of the fields that are the text; none: all are, each under its name.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RefusedError("corrupt", f"Expected JSON: {error}.") from error
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return _from_objects(list(enumerate(value, 1)), [], text_fields)
    if text_fields:
        return _from_objects([(1, value)], [], text_fields)
    return from_records([to_block(_flat(value).items())], [])


def parse_jsonl(text: str, text_fields: Sequence[str] = ()) -> Parsed:
    """Parses one JSON object a line, as `parse_json`; lines that hold none are left out and named one by one."""
    objects: list[tuple[int, dict[str, Any]]] = []
    refusals: list[RefusedRow] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            refusals.append(RefusedRow(number, "not_json", "not JSON"))
            continue
        if isinstance(value, dict):
            objects.append((number, value))
        else:
            refusals.append(RefusedRow(number, "not_object", "not an object"))
    return _from_objects(objects, refusals, text_fields)


def parse_row(content: bytes) -> Parsed:
    """Parses a row of a table: its text is Markdown, its other columns are facts.

    NULL and empty text are no facts, but for empty groups: those are nobody.
    """
    row = json.loads(content)
    declared = row.get("facts", {}).items()
    facts = {name: value for name, value in declared if value not in (None, "") or (name, value) == (GROUPS, "")}
    title = facts.get("title")
    return Parsed(row.get("text") or "", title if isinstance(title, str) else "", facts)


def _from_objects(objects: list[tuple[int, Any]], refusals: list[RefusedRow], text_fields: Sequence[str]) -> Parsed:
    if text_fields:
        return _from_fields(objects, refusals, text_fields)
    field = next((name for name in TEXT_FIELDS if 2 * sum(name in item for _, item in objects) > len(objects)), None)
    good = [(number, item) for number, item in objects if field is None or _is_text(item.get(field))]
    bad = [
        RefusedRow(number, "no_text", f"no text in {field!r}")
        for number, item in objects
        if field and not _is_text(item.get(field))
    ]
    blocks = [to_block(_flat(item).items()) for _, item in good]
    return from_records(blocks, sorted(refusals + bad, key=attrgetter("line")))


def _from_fields(objects: list[tuple[int, Any]], refusals: list[RefusedRow], text_fields: Sequence[str]) -> Parsed:
    """Returns the values of the wanted fields, in the order wanted and without their names."""
    blocks, bad = [], []
    for number, item in objects:
        fields = _flat(item)
        values = [fields[name].strip() for name in text_fields if fields.get(name, "").strip()]
        if values:
            blocks.append("\n\n".join(values))
        else:
            bad.append(RefusedRow(number, "no_text", f"no text in {', '.join(map(repr, text_fields))}"))
    return from_records(blocks, sorted(refusals + bad, key=attrgetter("line")))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _flat(value: Any) -> dict[str, str]:
    fields: dict[str, list[str]] = {}
    for name, scalar in _scalars(value):
        fields.setdefault(name, []).append(scalar)
    return {name: ", ".join(scalars) for name, scalars in fields.items()}


def _scalars(value: Any) -> Iterator[tuple[str, str]]:
    """Yields (dotted name, text) of every scalar in order, with a stack of its own."""
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        name, item = stack.pop()
        if isinstance(item, Mapping):
            below = [(f"{name}.{key}" if name else key, child) for key, child in item.items()]
            stack.extend(reversed(below))
        elif isinstance(item, list):
            stack.extend((name, child) for child in reversed(item))
        elif item is not None:
            yield name or "value", item if isinstance(item, str) else json.dumps(item)
