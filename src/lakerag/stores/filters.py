"""The metadata filter language: parsed and checked by our own grammar, rendered by each store.

    lang == "en" and year >= 2024 and (tags has "spark" or not team in ["ops", "web"])

Logic is two-valued: a field that a row does not have equals nothing, so `==`, `<`, `in`
and `has` are false on it, while `!=`, `not in` and `not` are their exact complements.
"""

import difflib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

from lark import Lark, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from lakerag.errors import ConfigError, UsageError

MAX_CHARS = 4096
MAX_DEPTH = 16
"""Levels of `and` and `or` inside one another."""

KINDS = ("text", "number", "date", "texts")
SCALARS: Mapping[str, str] = dict.fromkeys(("doc_id", "source", "path", "title", "lang"), "text")
"""Filterable fields of every row. Rights (`tenant`, `acl_groups`) are no fields of the language."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_RESERVED = {"and", "or", "not", "in", "has", "tenant", "acl_groups"}
_EXAMPLE = 'for example: lang == "en" and year >= 2024 and tags has "spark"'

_GRAMMAR = r"""
?start: either
?either: both ("or" both)*
?both: negation ("and" negation)*
?negation: "not" negation -> negated
    | "(" either ")"
    | comparison
comparison: NAME COMPARE literal -> compared
    | NAME "has" literal -> member
    | NAME "in" "[" literal ("," literal)* "]" -> listed
    | NAME "not" "in" "[" literal ("," literal)* "]" -> unlisted
?literal: TEXT | NUMBER
COMPARE: "==" | "!=" | "<=" | ">=" | "<" | ">"
NAME: /[A-Za-z_][A-Za-z0-9_]*/
NUMBER: /-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?/
TEXT: /"([^"\\]|\\.)*"/s | /'([^'\\]|\\.)*'/s
WS: /[ \t\r\n]+/
%ignore WS
"""

_EXPECTED = {
    "COMPARE": "a comparison (== != < <= > >=)",
    "NAME": "a field",
    "NUMBER": "a number",
    "TEXT": "a quoted text",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "COMMA": ",",
    "$END": "the end",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A declared field."""

    name: str
    kind: str
    """`text`, `number`, `date` (an ISO 8601 text) or `texts` (a list of text)."""
    metadata: bool
    """Whether it is a key of the metadata map, or a field of the index itself."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One field against one literal, or against several for `in`."""

    field: Field
    op: str
    """`==`, `<`, `<=`, `>`, `>=`, `in` or `has`; `!=` is a negated `==`."""
    values: tuple[str | float, ...]
    """One value; at least one for `in`. Numbers are finite."""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Every:
    """All of the conditions hold."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of the conditions holds."""

    conditions: tuple["Condition", ...]


Condition = Comparison | Every | Some
"""A checked filter, in negation normal form: only comparisons are ever negated."""


def parse(expression: str, fields: Mapping[str, str]) -> Condition:
    """Parses and checks a filter.

    Args:
        expression: At most `MAX_CHARS` characters.
        fields: Declared metadata keys and their kinds; the fields of `SCALARS` come on top.

    Raises:
        UsageError: Not a filter, an undeclared field, a literal of another kind, too long or too deep.
        ConfigError: A declaration that cannot be (a bad name, an unknown kind, a scalar field's name).

    Examples:
        >>> parse("year >= 2024", {"year": "number"})
        Comparison(field=Field(name='year', kind='number', metadata=True), op='>=', values=(2024,), negated=False)
    """
    if len(expression) > MAX_CHARS:
        raise UsageError(
            f"The filter has {len(expression)} characters, at most {MAX_CHARS} are allowed. Shorten it.",
            chars=len(expression),
        )
    if any("\ud800" <= character <= "\udfff" for character in expression):
        raise UsageError("The filter holds a lone surrogate, which is no character. Remove it.")
    parser = _parser(tuple(sorted(fields.items())))
    try:
        condition: Condition = parser.parse(expression)  # type: ignore[assignment]
    except UnexpectedInput as error:
        raise _refusal(expression, error) from None
    if (depth := _depth(condition)) > MAX_DEPTH:
        raise UsageError(f"The filter is nested {depth} levels deep, at most {MAX_DEPTH} are allowed.", depth=depth)
    return condition


def declared(fields: Mapping[str, str]) -> dict[str, Field]:
    """Returns all filterable fields by name.

    Raises:
        ConfigError: A bad name, an unknown kind or a name that an index field has.
    """
    known = {name: Field(name, kind, metadata=False) for name, kind in SCALARS.items()}
    for name, kind in fields.items():
        if not _NAME.fullmatch(name) or name in _RESERVED:
            raise ConfigError(f"Metadata field {name!r}: expected a name such as `year`; rename it.", field=name)
        if name in SCALARS:
            raise ConfigError(f"Metadata field {name!r} has the name of an index field; rename it.", field=name)
        if kind not in KINDS:
            raise ConfigError(f"Metadata field {name!r}: kind {kind!r}, expected one of {', '.join(KINDS)}.")
        known[name] = Field(name, kind, metadata=True)
    return known


def negate(condition: Condition) -> Condition:
    """Returns the exact complement, the negation pushed down to the comparisons."""
    if isinstance(condition, Comparison):
        return replace(condition, negated=not condition.negated)
    parts = tuple(negate(part) for part in condition.conditions)
    return Some(parts) if isinstance(condition, Every) else Every(parts)


def _depth(condition: Condition) -> int:
    if isinstance(condition, Comparison):
        return 0
    return 1 + max(_depth(part) for part in condition.conditions)


@v_args(inline=True)
class _Builder(Transformer[Any, Condition]):
    """Builds the condition while the parser runs, so nothing recurses over the raw text."""

    def __init__(self, fields: Mapping[str, Field]) -> None:
        super().__init__()
        self._fields = fields

    def either(self, *parts: Condition) -> Condition:
        return Some(parts)

    def both(self, *parts: Condition) -> Condition:
        return Every(parts)

    def negated(self, condition: Condition) -> Condition:
        return negate(condition)

    def compared(self, name: str, op: str, value: str | float) -> Condition:
        comparison = self._comparison(str(name), "==" if op == "!=" else str(op), (value,))
        return replace(comparison, negated=op == "!=")

    def member(self, name: str, value: str | float) -> Condition:
        return self._comparison(str(name), "has", (value,))

    def listed(self, name: str, *values: str | float) -> Condition:
        return self._comparison(str(name), "in", values)

    def unlisted(self, name: str, *values: str | float) -> Condition:
        return replace(self._comparison(str(name), "in", values), negated=True)

    def TEXT(self, token: str) -> str:  # noqa: N802 - the terminal's name
        return re.sub(r"\\(.)", _unescape, token[1:-1], flags=re.DOTALL)

    def NUMBER(self, token: str) -> float:  # noqa: N802 - the terminal's name
        number = float(token)
        if not math.isfinite(number):
            raise UsageError(f"The number {token[:40]} is too large for a filter.", number=str(token))
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def _comparison(self, name: str, op: str, values: tuple[str | float, ...]) -> Comparison:
        field = self._field(name)
        if (op == "has") != (field.kind == "texts"):
            advice = f'write: {name} has "..."' if field.kind == "texts" else "write: =="
            raise UsageError(f"The field {name} is of kind {field.kind}, which has no `{op}`; {advice}.", field=name)
        for value in values:
            _check_kind(field, value)
        return Comparison(field, op, values)

    def _field(self, name: str) -> Field:
        if name in self._fields:
            return self._fields[name]
        near = difflib.get_close_matches(name, self._fields, n=1, cutoff=0.0)
        raise UsageError(
            f"The filter names an undeclared field {name[:64]!r}; the nearest declared one is {near[0]}. "
            f"Declared are: {', '.join(sorted(self._fields))}.",
            field=name,
        )


def _unescape(match: re.Match[str]) -> str:
    if match[1] not in _ESCAPES:
        raise UsageError(rf"The filter holds the unknown escape \{match[1]}; known are \" \' \\ \n \r \t.")
    return _ESCAPES[match[1]]


def _check_kind(field: Field, value: str | float) -> None:
    wanted = "a number" if field.kind == "number" else "a quoted text"
    if isinstance(value, str) == (field.kind == "number"):
        found = json.dumps(value, ensure_ascii=False)[:80]
        raise UsageError(f"The field {field.name} is of kind {field.kind}: expected {wanted}, found {found}.")
    if field.kind == "date" and not _is_date(str(value)):
        raise UsageError(f'The field {field.name} is a date: expected "YYYY-MM-DD", found {str(value)[:80]!r}.')


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return len(text) == 10 or text[10] in "T "


@lru_cache(maxsize=64)
def _parser(fields: tuple[tuple[str, str], ...]) -> Lark:
    """Returns the parser of one set of declarations; building it costs 10 ms."""
    return Lark(_GRAMMAR, parser="lalr", transformer=_Builder(declared(dict(fields))))


def _refusal(expression: str, error: UnexpectedInput) -> UsageError:
    wanted: set[str] = set()
    found = "the end"
    if isinstance(error, UnexpectedCharacters):
        wanted, found = set(error.allowed), repr(error.char)
    elif isinstance(error, UnexpectedToken):
        wanted = set(error.expected)
        found = "the end" if error.token.type == "$END" else repr(str(error.token)[:40])
    place = len(expression) if found == "the end" else error.pos_in_stream
    expected = ", ".join(sorted(_EXPECTED.get(name, name.lower()) for name in wanted))
    return UsageError(
        f"The filter is wrong at character {place}: expected {expected}; found {found}. Write {_EXAMPLE}.",
        position=place,
    )
