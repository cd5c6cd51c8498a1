"""YAML front matter: declared facts, read without building any object."""

import re
from typing import Any

import yaml

from lakerag.silver.rights import GROUPS, TENANT

MAX_CHARS = 64 * 1024

MAX_DEPTH = 50
"""Lists and mappings within one another; libyaml composes them on the C stack, which ends without an exception."""

_BLOCK = re.compile(r"\ufeff?---[ \t]*\n(.*?\n|)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_UNENDED = re.compile(r"\ufeff?---[ \t]*\n((?:.+\n?)*)")
"""What looks like a block without its end: to the first blank line."""

_RIGHTS = re.compile(f"{TENANT}|{GROUPS}", re.IGNORECASE)
_BAD = ("bad_front_matter",)
_BASE: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class _Loader(_BASE):  # type: ignore[misc]
    """The base loader makes text of every scalar and ignores tags: a version 1.10 stays 1.10."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Of a key that stands twice the last would win, and rights perhaps be lost."""
        names = [key.value for key, _ in node.value]
        if any(names.count(right) > 1 for right in (TENANT, GROUPS)):
            raise ValueError("rights declared twice")
        facts: dict[Any, Any] = super().construct_mapping(node, deep)
        return facts


def split_front_matter(text: str) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Returns declared facts, the body and flags.

    Front matter that cannot be read is dropped with the flag `bad_front_matter`. Where it
    mentions rights, or is too long to be looked at, nobody sees the document.

    Args:
        text: A document with newlines as line ends.
    """
    block = _BLOCK.match(text)
    if block is None:
        unended = _UNENDED.match(text, 0, MAX_CHARS)
        return _prose(text, unended[1] if unended else "")
    body = text[block.end() :]
    try:
        facts = load_facts(block[1])
    except (yaml.YAMLError, ValueError):
        return _unread(block[1]), body, _BAD
    if facts in (None, ""):
        return {}, body, ()
    if isinstance(facts, dict):
        return {str(key): value for key, value in facts.items()}, body, ()
    return _prose(text, block[1]) if isinstance(facts, str) else (_unread(block[1]), body, _BAD)


def load_facts(block: str) -> Any:
    """Returns YAML (or JSON, its subset) as text, lists and mappings.

    Raises:
        ValueError: It is too long or too deep, has aliases (which expand without bound) or declares rights twice.
        yaml.YAMLError: It is no YAML.
    """
    if len(block) > MAX_CHARS:
        raise ValueError("too long")
    depth = 0
    for event in yaml.parse(block, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or isinstance(event, yaml.AliasEvent):
            raise ValueError("too deep, or aliases")
    return yaml.load(block, Loader=_Loader)  # noqa: S506 - the base loader builds text, lists and mappings alone


def _prose(text: str, head: str) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Prose after a rule is text; where its head mentions rights, it was to be front matter."""
    facts = _unread(head)
    return facts, text, _BAD if facts else ()


def _unread(block: str) -> dict[str, Any]:
    """Returns nobody's groups for a block that may have declared others."""
    return {GROUPS: []} if len(block) > MAX_CHARS or _RIGHTS.search(block) else {}
