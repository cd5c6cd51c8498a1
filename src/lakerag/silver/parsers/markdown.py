"""Markdown and MDX: front matter becomes metadata, tags go, code stays as it is."""

import html
import re
from collections.abc import Callable, Iterator

from lakerag.silver.front_matter import split_front_matter
from lakerag.silver.parsers.base import Parsed
from lakerag.silver.parsers.html import html_to_markdown

FENCE = re.compile(
    r"^[ \t>]*(?P<mark>`{3,}|~{3,})[^`\n]*$(?:\n.*)*?(?:\n[ \t>]*(?P=mark)[`~]*[ \t]*$|\Z)", re.MULTILINE
)
"""A fenced block, to its closing fence or to the end of the text (CommonMark 4.5)."""

_INLINE = re.compile(
    r"[`<{&!](?:"
    r"(?P<code>(?<=`)(?<!``)(`*)(?!`)[^\n]+?(?<!`)`\2(?!`))"
    r"|(?P<comment>(?<=<)!--.*?-->|(?<=\{)/\*.*?\*/\})"
    r"|(?<=<)(?P<close>/?)(?P<name>[A-Za-z][\w.-]*)(?:\s(?:[^<>{}\"]|\"[^\"\n]*\"|\{[^{}]*\})*)?/?>"
    r"|(?P<entity>(?<=&)(?:[A-Za-z]\w{1,31}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});)"
    r"|(?<=!)\[(?P<alt>[^\]\[\n]*)\]\(data:[^)\s]*\))",
    re.DOTALL,
)
"""The class comes first, outside the alternatives: the engine then runs from one such character to the next."""
_IMPORT = re.compile(
    r"^import\s+(?:[\w*\s,$]{0,200}(?:\{[^{}]*\})?[\w*\s,$]{0,200}from\s+)?(['\"])[^'\"\n]+\1;?[ \t]*$"
    r"|^export\s+(?:default|const|let|var|function|async)\b.*(?:\n.+)*",
    re.MULTILINE,
)
_OPEN_COMPONENT = re.compile(r"<[A-Z][\w.]*(?:\s(?!.*</).*)?(?<!/)>\s*$")
_CLOSE_COMPONENT = re.compile(r"</[A-Z][\w.]*>\s*$")
_HEADING = re.compile(r"^(?:\#[ \t]+(?P<atx>.+)|(?P<setext>[^\s>#*+-].*)\n=+[ \t]*)$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_RAW_BLOCKS = ("script", "style", "table")

_TAGS = {
    **dict.fromkeys(("a", "abbr", "b", "big", "center", "cite", "del", "details", "dfn", "div", "em", "figure"), ""),
    **dict.fromkeys(("font", "i", "iframe", "img", "ins", "kbd", "main", "mark", "nav", "ol", "picture", "pre"), ""),
    **dict.fromkeys(("s", "samp", "section", "small", "source", "span", "strong", "sub", "summary", "sup", "u"), ""),
    **dict.fromkeys(("article", "aside", "blockquote", "button", "caption", "col", "colgroup", "dd", "dl"), ""),
    **dict.fromkeys(("tbody", "td", "tfoot", "th", "thead", "tr", "tt", "ul", "var", "video", "wbr"), ""),
    **dict.fromkeys(("br", "hr", "p", "dt", "figcaption"), "\n"),
    **{f"h{level}": "\n" + "#" * level + " " for level in range(1, 7)},
    "li": "\n- ",
    "code": "`",
}
"""What an opening HTML tag becomes; other tags (`<your-token>`) are text."""


def parse_markdown(text: str) -> Parsed:
    """Parses Markdown with embedded HTML."""
    return _parse(text, lambda body: body, components=False)


def parse_mdx(text: str) -> Parsed:
    """Parses MDX: imports, exports and component tags go, what they hold stays."""
    return _parse(text, _without_components, components=True)


def first_heading(text: str) -> str:
    """Returns the text of the first level-one heading outside code; empty: there is none."""
    for code, prose in _segments(text):
        if not code and (found := _HEADING.search(prose)):
            return (found["atx"] or found["setext"]).strip().rstrip("#").rstrip()
    return ""


def _parse(text: str, prepare: Callable[[str], str], components: bool) -> Parsed:
    metadata, body, flags = split_front_matter(text.replace("\r\n", "\n").replace("\r", "\n"))
    parts = (part if code else _prose(part, components) for code, part in _segments(prepare(body)))
    markdown = "".join(parts)
    title = metadata.get("title")
    return Parsed(markdown, title if isinstance(title, str) else first_heading(markdown), metadata, flags)


def _segments(text: str) -> Iterator[tuple[bool, str]]:
    """Yields the text in order as (is code, part)."""
    end = 0
    for block in FENCE.finditer(text):
        yield False, text[end : block.start()]
        yield True, block[0]
        end = block.end()
    yield False, text[end:]


def _prose(text: str, components: bool) -> str:
    if components:
        text = _IMPORT.sub("", text)
    if "<" not in text and "&" not in text and "{/*" not in text and "](data:" not in text:
        return text
    for name in _RAW_BLOCKS:
        text = "".join(_raw_block(part) if raw else part for raw, part in _raw_blocks(text, name))
    return _BLANK_LINES.sub("\n\n", _INLINE.sub(lambda match: _inline(match, components), text))


def _raw_blocks(text: str, name: str) -> Iterator[tuple[bool, str]]:
    """Yields (is such an element, part); an element without its end is no element."""
    lower, close, end = text.lower(), f"</{name}>", 0
    while (start := lower.find(f"<{name}", end)) >= 0 and (stop := lower.find(close, start)) >= 0:
        yield False, text[end:start]
        end = stop + len(close)
        yield True, text[start:end]
    yield False, text[end:]


def _raw_block(element: str) -> str:
    return f"\n\n{html_to_markdown(element)}\n\n" if element[:6].lower() == "<table" else ""


def _inline(match: re.Match[str], components: bool) -> str:
    if match["code"]:
        return match[0]
    if match["entity"]:
        return html.unescape(match[0])
    if match["comment"] or match["alt"] is not None:
        return match["alt"] or ""
    name = match["name"]
    if components and name[0].isupper():
        return ""
    opened = _TAGS.get(name.lower())
    if opened is None:
        return match[0]
    if match["close"]:
        return "`" if name.lower() == "code" else "\n" if opened.startswith("\n#") else ""
    line_start = match.string.rfind("\n", 0, match.start()) + 1
    in_table = match.string[line_start : line_start + 20].lstrip().startswith("|")
    return " " if in_table and opened.startswith("\n") else opened


def _without_components(text: str) -> str:
    """Takes the indentation off that content has only for standing inside component tags."""
    lines: list[str] = []
    indents: list[int | None] = []
    fenced = False
    for line in text.split("\n"):
        bare = line.lstrip(" \t")
        indent = len(line) - len(bare)
        if not fenced and indents and _CLOSE_COMPONENT.match(bare):
            indents.pop()
        elif indents and bare:
            common = indents[-1] = indent if indents[-1] is None else indents[-1]
            line = line[min(indent, common) :]
        fenced ^= bare.startswith(("```", "~~~"))
        if not fenced and _OPEN_COMPONENT.match(bare):
            indents.append(None)
        lines.append(line)
    return "\n".join(lines)
