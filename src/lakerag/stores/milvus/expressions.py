r"""Rights and filters as Milvus boolean expressions; the one place where values are quoted.

Filter templates would leave the quoting to the store, but Milvus Lite and servers before
2.4 refuse them. The dialect used here is what both parsers read alike: double quotes,
backslash escapes for `"`, `\`, newline, carriage return and tab, everything else raw.
"""

import hashlib
import math
from collections.abc import Iterable

from lakerag.errors import UsageError
from lakerag.records import PUBLIC_GROUP, Access
from lakerag.stores.base import Window
from lakerag.stores.filters import Comparison, Condition, Every, Field

_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_OPPOSITES = {"==": "!=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SECTIONS = {"text": "text", "date": "text", "number": "number", "texts": "texts"}
"""Where `rows.typed` keeps the values of a kind."""


def quote(text: str) -> str:
    """Returns the literal that both parsers read back as exactly this text.

    Raises:
        UsageError: Not a text, or one with a lone surrogate, which has no UTF-8 form.
    """
    return f'"{_text(text).decode().translate(_ESCAPES)}"'


def any_key(keys: Iterable[str]) -> str:
    """Returns the expression for rows with one of the keys."""
    return f"chunk_id in {_list(keys)}"


def inside(windows: Iterable[Window]) -> str:
    """Returns the expression for chunks that reach into one of the windows."""
    terms = (f"(doc_id == {quote(w.doc_id)} and start < {int(w.end)} and end > {int(w.start)})" for w in windows)
    return f"({' or '.join(terms)})"


def visible(access: Access, *, by_token: bool = False) -> str:
    """Returns the expression for the rows that the asker may see.

    Args:
        access: The asker.
        by_token: Ask the text of `tokens` instead of the array, where the collection has it.

    Raises:
        UsageError: Groups or tenant that are no texts; nothing is searched then.
    """
    if not isinstance(access.groups, (tuple, list)):
        raise UsageError(f"Groups must be a tuple of texts, found {type(access.groups).__name__}.")
    tenants = _list(dict.fromkeys(("", access.tenant)))
    groups = list(dict.fromkeys((PUBLIC_GROUP, *access.groups)))
    if by_token:
        # A token is hexadecimal, so no group can smuggle a wildcard into the pattern.
        member = " or ".join(f'acl_tokens like "%{tokens([group])}%"' for group in groups)
        return f"(tenant in {tenants} and ({member}))"
    return f"(tenant in {tenants} and array_contains_any(acl_groups, {_list(groups)}))"


def tokens(groups: Iterable[str]) -> str:
    """Returns groups as one text: 128 bits of SHA-256 each, in hexadecimal between bars.

    Milvus Lite turns whole rows into Python objects to look into an array, vectors
    included; a pattern on a text it matches in Arrow, an order of magnitude faster.
    """
    return "".join(f"|{hashlib.sha256(_text(group)).hexdigest()[:32]}|" for group in groups)


def allowed(access: Access, condition: Condition | None, *, by_token: bool = False) -> str:
    """Returns the whole filter of a search: rights first, the asker's condition only within them."""
    rights = visible(access, by_token=by_token)
    return rights if condition is None else f"{rights} and {render(condition)}"


def render(condition: Condition) -> str:
    """Returns a condition as one expression in parentheses."""
    if isinstance(condition, Comparison):
        return f"({_comparison(condition)})"
    word = " and " if isinstance(condition, Every) else " or "
    return f"({word.join(render(part) for part in condition.conditions)})"


def _comparison(comparison: Comparison) -> str:
    name = _name(comparison.field)
    literals = [_literal(value) for value in comparison.values]
    if comparison.op == "has":
        return f"{'not ' if comparison.negated else ''}json_contains({name}, {literals[0]})"
    op, word = ("==" if comparison.op == "in" else comparison.op), "or"
    if comparison.negated:
        op, word = _OPPOSITES[op], "and"
    terms = f" {word} ".join(f"{name} {op} {literal}" for literal in literals)
    # On an absent key a comparison is false in one store and unknown in another, `!=` even true;
    # asking for absence outright makes the complement the same everywhere.
    if comparison.negated and comparison.field.metadata:
        return f"(not (exists {name})) or ({terms})"
    return terms


def _name(field: Field) -> str:
    if not field.metadata:
        return field.name
    return f'metadata["{_SECTIONS[field.kind]}"]["{field.name}"]'


def _literal(value: str | float) -> str:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool) or not math.isfinite(value):
        raise UsageError(f"A filter number must be finite, found {value!r}.")
    return repr(value)


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(quote(text) for text in texts)}]"


def _text(text: str) -> bytes:
    """Returns the UTF-8 form of a text from outside, whatever its type claims to be."""
    try:
        return text.encode()
    except (AttributeError, UnicodeEncodeError) as error:
        raise UsageError(f"A filter value must be text without lone surrogates, found {text!r:.80}.") from error
