"""Turns Python's language reference, as the interpreter carries it, into Markdown pages."""

import re
from collections.abc import Iterator
from textwrap import dedent

from lakerag.jobs.docstrings import fence

_TITLE = re.compile(r"^(\S.*)\n([*=\-~^]{4,})$", re.MULTILINE)
_CODE = re.compile(
    r"::=|^>>> |^(?:import|from|def|class|for|while|with|try|if|async|assert|del|return|raise|@)\b|^\w+ = ",
    re.MULTILINE,
)


def pages(topic: str, max_words: int) -> Iterator[tuple[str, str]]:
    """Yields (title, Markdown) of a topic: whole if it is short enough, else one page a section that is."""
    topic = topic.partition("-[ Footnotes ]-")[0]
    titles = list(_TITLE.finditer(topic))
    whole = len(topic.split()) <= max_words
    for i, title in enumerate(titles[:1] if whole else titles):
        end = titles[i + 1].start() if not whole and i + 1 < len(titles) else len(topic)
        body = topic[title.end() : end]
        if 30 <= len(body.split()) <= max_words:
            yield title[1].replace('"', ""), to_markdown(body)


def to_markdown(text: str) -> str:
    """Returns a part of the reference as Markdown: headings, fenced code, literals in backticks."""
    parts: list[str] = []
    code: list[str] = []
    above = ""
    for block in re.split(r"\n[ \t]*\n", _TITLE.sub(r"## \1", text).strip("\n")):
        if block.startswith("  ") and (code or _is_code(block, above)):
            code.append(block)
            continue
        parts += _fenced(code)
        above = block
        parts.append(re.sub(r'"([^"\n]{1,40})"', r"`\1`", dedent(block)))
    return "\n\n".join(part for part in [*parts, *_fenced(code)] if part.strip())


def _is_code(block: str, above: str) -> bool:
    """Indentation marks code, but also what is said about a name or in a list: that ends like a sentence."""
    is_said = re.search(r"[^.]\.\)?\s*$", block) or re.match(r"\d+\. |\* ", above)
    return bool(_CODE.search(dedent(block))) and not is_said


def _fenced(code: list[str]) -> list[str]:
    fenced = [fence(dedent("\n\n".join(code)))] if code else []
    code.clear()
    return fenced
