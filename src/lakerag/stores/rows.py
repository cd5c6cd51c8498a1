"""What a row must be before any store sees it, and the form in which stores hold it."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lakerag.errors import DimensionMismatchError, RowRefusedError
from lakerag.stores.base import Row
from lakerag.tables import INDEX_FIELDS, INDEX_KEY, INDEX_VECTOR, IndexField

MAX_GROUPS = 1024
"""Elements of an array field at most."""

DISPLAY_FIELDS = frozenset({"title", "heading"})
"""Shown, never matched for identity: shortened with an ellipsis where they are over-long."""

_KEY = re.compile(r"[0-9A-Za-z_.:#/-]+")
_KEY_BYTES = next(field.max_bytes for field in INDEX_FIELDS if field.name == INDEX_KEY)
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NAMES = frozenset(field.name for field in INDEX_FIELDS) | {INDEX_VECTOR}
_INT64 = 2**63


def refusals(rows: Sequence[Row], dimension: int) -> dict[int, str]:
    """Returns why rows cannot be stored, by their place in the sequence; empty when all can.

    Args:
        rows: Any rows; keys must be unique among them.
        dimension: Length of the collection's vectors.
    """
    reasons: dict[int, str] = {}
    seen: set[str] = set()
    for place, row in enumerate(rows):
        key = row.get(INDEX_KEY)
        if isinstance(key, str) and key in seen:
            reasons[place] = f"{INDEX_KEY}: the key stands twice in the batch"
        elif reason := _refusal(row, dimension):
            reasons[place] = reason
        if isinstance(key, str):
            seen.add(key)
    return reasons


def check(rows: Sequence[Row], dimension: int) -> None:
    """Refuses a batch that holds a row that cannot be stored.

    Raises:
        DimensionMismatchError: A vector of another length.
        RowRefusedError: Anything else; `details["refused"]` maps places to reasons.
    """
    for row in rows:
        length = _length(row.get(INDEX_VECTOR))
        if length is not None and length != dimension:
            raise DimensionMismatchError(
                f"The collection holds vectors of {dimension} numbers, row {_shown(row)} has {length}. "
                "Use the embedder that the collection was made with, or rebuild it.",
                expected=dimension,
                found=length,
            )
    if reasons := refusals(rows, dimension):
        place, reason = next(iter(reasons.items()))
        raise RowRefusedError(
            f"{len(reasons)} of {len(rows)} rows cannot be stored; the first is {_shown(rows[place])}: {reason}. "
            "Nothing was written. Leave these rows out or mend them.",
            refused=reasons,
        )


def is_key(text: str) -> bool:
    """Says whether a row can stand under that key."""
    return len(text) <= _KEY_BYTES and bool(_KEY.fullmatch(text))


def encode(row: Row) -> dict[str, Any]:
    """Returns a checked row as stores hold it: display fields shortened, metadata typed, float32 vector."""
    held = {field.name: row[field.name] for field in INDEX_FIELDS}
    for field in INDEX_FIELDS:
        if field.name in DISPLAY_FIELDS:
            held[field.name] = shorten(row[field.name], field.max_bytes)
        elif field.kind == "int":
            held[field.name] = int(row[field.name])
        elif field.kind == "texts":
            held[field.name] = list(row[field.name])
        elif field.kind == "map":
            held[field.name] = typed(row[field.name])
    return {**held, INDEX_VECTOR: np.asarray(row[INDEX_VECTOR], dtype=np.float32)}


def typed(metadata: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Returns metadata in every form that a filter may compare it in.

    Delta holds text alone, and a store cannot cast inside a filter. So the text stands
    under `text`, the number under `number` where it is one, and the list under `texts`: a
    JSON array of texts, or else the parts between commas.

    Examples:
        >>> typed({"year": "2024"})
        {'text': {'year': '2024'}, 'number': {'year': 2024}, 'texts': {'year': ['2024']}}
    """
    numbers = {name: number for name, text in metadata.items() if (number := _number(text)) is not None}
    return {"text": dict(metadata), "number": numbers, "texts": {name: _texts(text) for name, text in metadata.items()}}


def untyped(held: Mapping[str, Any]) -> dict[str, str]:
    """Returns the metadata that `typed` was given."""
    return dict(held.get("text", {}))


def shorten(text: str, max_bytes: int) -> str:
    """Returns the text, cut at a character with an ellipsis when its UTF-8 form is longer than `max_bytes`."""
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    return encoded[: max_bytes - len("…".encode())].decode(errors="ignore") + "…"


def batches(rows: Sequence[Row], max_bytes: int) -> Iterator[list[Row]]:
    """Yields the rows in order in runs of about `max_bytes`; a larger row goes alone."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        row_size = size_of(row)
        if batch and size + row_size > max_bytes:
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += row_size
    if batch:
        yield batch


def size_of(row: Row) -> int:
    """Returns about how many bytes a row takes in a request."""
    metadata = sum(len(name) + 3 * len(text.encode()) for name, text in row["metadata"].items())
    texts = sum(len(row[field.name].encode()) for field in INDEX_FIELDS if field.kind == "text")
    lists = sum(len(text.encode()) for field in INDEX_FIELDS if field.kind == "texts" for text in row[field.name])
    return texts + metadata + lists + 4 * len(row[INDEX_VECTOR]) + 64


def _refusal(row: Row, dimension: int) -> str:
    if missing := _NAMES - row.keys():
        return f"missing fields: {', '.join(sorted(missing))}"
    if unknown := row.keys() - _NAMES:
        return f"unknown fields: {', '.join(sorted(unknown))}"
    for field in INDEX_FIELDS:
        if reason := _CHECKS[field.kind](field, row[field.name]):
            return f"{field.name}: {reason}"
    if not _KEY.fullmatch(row[INDEX_KEY]):
        return f"{INDEX_KEY}: expected letters, digits and _ . : # / -"
    reason = _vector_reason(row[INDEX_VECTOR], dimension)
    return f"{INDEX_VECTOR}: {reason}" if reason else ""


def _text_reason(field: IndexField, value: Any) -> str:
    if not isinstance(value, str):
        return f"expected text, found {type(value).__name__}"
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "a lone surrogate, which has no UTF-8 form"
    if size > field.max_bytes and field.name not in DISPLAY_FIELDS:
        return f"{size} bytes of UTF-8, at most {field.max_bytes}"
    return ""


def _int_reason(_: IndexField, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        return f"expected an integer, found {type(value).__name__}"
    return "" if -_INT64 <= value < _INT64 else "does not fit 64 bits"


def _texts_reason(field: IndexField, value: Any) -> str:
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
        return f"expected a list of texts, found {type(value).__name__}"
    if len(value) > MAX_GROUPS:
        return f"{len(value)} elements, at most {MAX_GROUPS}"
    return next((reason for element in value if (reason := _text_reason(field, element))), "")


def _map_reason(field: IndexField, value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"expected a map of text to text, found {type(value).__name__}"
    for part in (*value.keys(), *value.values()):
        if reason := _text_reason(field, part):
            return reason
    size = len(json.dumps(typed(value), ensure_ascii=False).encode())
    return f"{size} bytes as JSON, at most {field.max_bytes}" if size > field.max_bytes else ""


_CHECKS = {"text": _text_reason, "int": _int_reason, "texts": _texts_reason, "map": _map_reason}


def _vector_reason(value: Any, dimension: int) -> str:
    try:
        with np.errstate(over="ignore"):  # what does not fit float32 becomes infinite, refused below
            vector: npt.NDArray[np.float32] = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        return "expected a list of numbers"
    if vector.shape != (dimension,):
        return f"expected {dimension} numbers, found the shape {vector.shape}"
    if not np.isfinite(vector).all():
        return "NaN or infinite"
    return "" if vector.any() else "all zeros, which has no direction"


def _length(vector: Any) -> int | None:
    return len(vector) if isinstance(vector, (Sequence, np.ndarray)) and not isinstance(vector, str) else None


def _shown(row: Row) -> str:
    return repr(row.get(INDEX_KEY))[:80]


def _number(text: str) -> float | None:
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _texts(text: str) -> list[str]:
    if text.startswith("["):
        try:
            parts = json.loads(text)
        except (ValueError, RecursionError):
            parts = None
        if isinstance(parts, list) and all(isinstance(part, str) and _is_unicode(part) for part in parts):
            return parts
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
