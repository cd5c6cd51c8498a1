"""YAML front matter: declared facts, read without building any object."""

import re
from typing import Any

import yaml

MAX_CHARS = 64 * 1024

_BLOCK = re.compile(r"\ufeff?---[ \t]*\n(.*?\n|)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""The base loader makes text of every scalar and ignores tags: a version 1.10 stays 1.10."""


def split_front_matter(text: str) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Returns declared facts, the body and flags.

    Broken front matter, and front matter with aliases (which expand without bound), is
    dropped with the flag `bad_front_matter`.

    Args:
        text: A document with newlines as line ends.
    """
    block = _BLOCK.match(text)
    if block is None:
        return {}, text, ()
    body = text[block.end() :]
    try:
        facts = load_facts(block[1])
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}, body, ("bad_front_matter",)
    if facts in (None, ""):
        return {}, body, ()
    if not isinstance(facts, dict):
        return ({}, text, ()) if isinstance(facts, str) else ({}, body, ("bad_front_matter",))
    return {str(key): value for key, value in facts.items()}, body, ()


def load_facts(block: str) -> Any:
    """Returns YAML (or JSON, its subset) as text, lists and mappings.

    Raises:
        ValueError: It is too long or has aliases.
        yaml.YAMLError: It is no YAML.
    """
    if len(block) > MAX_CHARS:
        raise ValueError("too long")
    if "*" in block and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(block, Loader=_LOADER)):
        raise ValueError("aliases")
    return yaml.load(block, Loader=_LOADER)  # noqa: S506 - the base loader builds text, lists and mappings alone
