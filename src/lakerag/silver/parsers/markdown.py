"""Markdown and MDX: front matter becomes metadata, tags go, code stays as it is."""

import html
import re
from bisect import bisect
from collections.abc import Callable, Iterator

from lakerag.silver.front_matter import split_front_matter
from lakerag.silver.parsers.base import Parsed
from lakerag.silver.parsers.html import html_to_markdown

FENCE = re.compile(
    r"^[ \t>]*(?P<mark>`{3,}|~{3,})[^`\n]*$(?:\n.*)*?(?:\n[ \t>]*(?P=mark)[`~]*[ \t]*$|\Z)", re.MULTILINE
)
"""A fenced block, to its closing fence or to the end of the text (CommonMark 4.5)."""

_LINES = r"[^`\n]*(?:\n(?![ \t>]*(?:\n|[|#]|(?:[-*+]|\d+[.)])[ \t]))[^`\n]*)*"
"""Text without backticks within one paragraph: no empty line, and no row, heading or item begins in it."""
_COMMENT = r"[^<-]*(?:(?:<(?!!--)|-(?!->))[^<-]*)*"
"""Text of a comment up to its end or to one more beginning; of those a comment may hold seven, so that beginnings that
have no end do not each look through the whole text."""
_INLINE = re.compile(
    r"[`<{&!](?:"
    rf"(?P<code>(?<=`)(?<![\\`]`)(?P<ticks>`{{0,15}})(?!`){_LINES}(?:`+(?!`){_LINES})*?`(?P=ticks)(?!`))"
    rf"|(?P<comment>(?<=<)!--{_COMMENT}(?:<!--{_COMMENT}){{0,7}}-->"
    r"|(?<=\{)/\*[^{*]*(?:(?:\{(?!/\*)|\*(?!/\}))[^{*]*)*\*/\})"
    r"|(?<=<)(?P<close>/?)(?P<name>[A-Za-z][\w.-]*)(?:\s(?:[^<>{}\"]|\"[^\"\n]*\"|\{(?:[^{}]|\{[^{}]*\})*\})*)?/?>"
    r"|(?P<entity>(?<=&)(?:[A-Za-z]\w{1,31}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});)"
    r"|(?<=!)\[(?P<alt>[^\]\[\n]*)\]\(data:[^)\s]*\))"
)
"""The class comes first, outside the alternatives: the engine then runs from one such character to the next.

A code span may cross lines (CommonMark 6.1). Runs of more than 16 backticks open none: every length without its match
costs a look through the paragraph.
"""
_IMPORT = re.compile(
    r"^import\s+(?:[\w*\s,$]{0,200}(?:\{[^{}]*\})?[\w*\s,$]{0,200}from\s+)?(['\"])[^'\"\n]+\1;?[ \t]*$"
    r"|^export\s+(?:default|const|let|var|function|async)\b.*(?:\n.+)*",
    re.MULTILINE,
)
_OPEN_COMPONENT = re.compile(r"<[A-Z][\w.]*(?:\s(?!.*</).*)?(?<!/)>\s*$")
_CLOSE_COMPONENT = re.compile(r"</[A-Z][\w.]*>\s*$")
_HEADING = re.compile(r"^(?:\#[ \t]+(?P<atx>.+)|(?P<setext>[^\s>#*+-].*)\n=+[ \t]*)$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_EMPTY_LINE = re.compile(r"\n[ \t>]*\n")
_LINE_LEAD = re.compile(r"(?:[\s>*+-]|\d+[.)]|<[^<>]*>)*")
"""What may stand in a line before its content: marks of quotes and lists, other tags."""
_MAX_LEAD = 200
"""Characters of a line that are asked for it, so that a long line costs no more."""
_RAW_ELEMENTS = ("script", "style", "table")
_RAW_END = re.compile(f"</(?:{'|'.join(_RAW_ELEMENTS)})", re.IGNORECASE)
"""Spares most files the look for such elements."""

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
    ends = _raw_elements(text, components) if _RAW_END.search(text) else {}
    parts, end = [], 0
    for match in _INLINE.finditer(text):
        start = match.start()
        if start >= end:
            parts.append(text[end:start])
            end = ends.get(start, match.end())
            parts.append(_raw_element(text[start:end]) if start in ends else _inline(match, components))
    return _BLANK_LINES.sub("\n\n", "".join((*parts, text[end:])))


def _raw_elements(text: str, components: bool) -> dict[int, int]:
    """Returns where scripts, styles and tables end, by where they begin.

    An end tag closes the nearest start tag of its name: one that is never closed takes no text along. One that stands
    behind text, and may be a word of it, is closed in its paragraph or not at all.
    """
    empty_lines = [line.start() for line in _EMPTY_LINE.finditer(text)]
    opened: dict[str, list[int]] = {name: [] for name in _RAW_ELEMENTS}
    ends = {}
    for tag in _INLINE.finditer(text):
        name = tag["name"] or ""
        starts = opened.get(name if components else name.lower())
        if starts is not None and not tag["close"]:
            starts.append(tag.start())
        elif starts:
            start = starts.pop()
            if bisect(empty_lines, start) == bisect(empty_lines, tag.start()) or _begins_line(text, start):
                ends[start] = tag.end()
    return ends


def _begins_line(text: str, position: int) -> bool:
    lead = text[max(0, position - _MAX_LEAD) : position].rpartition("\n")[2]
    return _LINE_LEAD.fullmatch(lead) is not None


def _raw_element(element: str) -> str:
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
