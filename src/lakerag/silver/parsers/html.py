"""HTML to Markdown: the main content, without scripts, comments and what is hidden.

The tree is walked with a stack of its own, so that depth is no matter.
"""

import re
from collections import Counter
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from lakerag.silver.parsers.base import Parsed, RefusedError

_SILENT = frozenset((
    "script", "style", "template", "noscript", "iframe", "object", "embed", "svg", "canvas", "audio", "video", "head",
    "select", "textarea", "button", "dialog", "nav", "footer",
))  # fmt: skip
"""Elements that hold no content, or what repeats on every page of a site."""

_SITE_ROLES = frozenset(("navigation", "search", "contentinfo"))
"""WAI-ARIA landmarks that repeat on every page of a site."""

_BOILERPLATE = ", ".join(("nav", "footer", *(f"[role={role}]" for role in sorted(_SITE_ROLES))))

_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "form", "header", "main", "ol", "p", "section", "summary", "table", "ul",
))  # fmt: skip
_HEADINGS = {f"h{level}": f"\n\n{'#' * level} " for level in range(1, 7)}
_OPENING = {**dict.fromkeys(_BLOCKS, "\n\n"), **_HEADINGS, "br": "\n", "li": "\n- ", "tr": "\n"}
_CLOSING = dict.fromkeys((*_BLOCKS, *_HEADINGS), "\n\n")

MAX_DEPTH = 20_000
"""The parser looks through all open elements at every tag: its time grows with the square of the depth."""

_NESTING_TAG = re.compile(
    r"</?(?!(?:br|hr|img|input|meta|link|col|wbr|source|p|li|d[td]|t[rdh]|option)\b)[a-z]", re.IGNORECASE
)
"""Tags of elements that do not end by themselves."""

_HIDDEN_STYLE = re.compile(r"display:none|visibility:hidden|font-size:0(?![.\d])|opacity:0(?![.\d])")
_WEB_LINK = re.compile(r"(?:https?://|mailto:)[^\s()<>]+")
_SPACES = re.compile(r"[ \t\r\n\f]+")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{2,40})", re.IGNORECASE)


def declared_charset(content: bytes) -> str:
    """Returns the encoding that an HTML file claims in its first KiB; empty: none."""
    found = _CHARSET.search(content[:1024])
    return found[1].decode("ascii") if found else ""


def parse_html(text: str) -> Parsed:
    """Parses a page; its title is that of `<title>`, where the page has no `<h1>`.

    Raises:
        RefusedError: `parse_limit` where elements are nested beyond `MAX_DEPTH`.
    """
    _check_depth(text)
    tree = LexborHTMLParser(text)
    content, left_out = _main_content(tree)
    markdown = "" if content is None else _Writer(content).markdown()
    declared = tree.css_first("head > title")
    title, _, swallowed = ("" if declared is None else declared.text()).partition("<")
    if swallowed and not markdown:  # a title without its end holds the whole page
        markdown = html_to_markdown("<" + swallowed)
    heading = None if content is None else content.css_first("h1")
    removed = 0 if content is None else len(content.css(_BOILERPLATE))
    counts = {"removed_boilerplate": removed, "outside_article": left_out}
    flags = tuple(f"{name}:{count}" for name, count in counts.items() if count)
    return Parsed(markdown, (heading.text() if heading is not None else "").strip() or title, flags=flags)


def html_to_markdown(fragment: str) -> str:
    """Returns a piece of HTML as Markdown.

    Raises:
        RefusedError: `parse_limit` where elements are nested beyond `MAX_DEPTH`.
    """
    _check_depth(fragment)
    body = LexborHTMLParser(fragment).body
    return "" if body is None else _Writer(body).markdown()


def _main_content(tree: LexborHTMLParser) -> tuple[LexborNode | None, int]:
    """Returns `<main>`, an only `<article>` that is most of the page, or the body; and the letters beside the article.

    An article that is a part of the page, a teaser say, must not stand for the page.
    """
    mains = tree.css("main, [role=main]")
    if len(mains) == 1:
        return mains[0], 0
    articles = tree.css("article")
    if not mains and len(articles) == 1 and tree.body is not None:
        letters = _letters(tree.body)
        if letters["article"] > letters["body"]:
            return articles[0], letters["body"] + letters["aside"]
    return tree.body, 0


def _letters(body: LexborNode) -> Counter[str]:
    """Counts what can be read in `<article>`, in `<aside>`, which is not the matter of the page, and elsewhere."""
    letters: Counter[str] = Counter()
    opened: list[str] = []
    for node, entering in _walk(body):
        if node.is_text_node:
            letters[opened[0] if opened else "body"] += sum(map(len, (node.text_content or "").split()))
        elif node.tag in ("article", "aside") and entering:
            opened.append(node.tag)
        elif node.tag in ("article", "aside"):
            opened.pop()
    return letters


def _check_depth(text: str) -> None:
    depth = 0
    for tag in _NESTING_TAG.finditer(text):
        depth += 1 if tag[0][1] != "/" else -1
        if depth > MAX_DEPTH:
            raise RefusedError("parse_limit", f"Elements are nested more than {MAX_DEPTH} deep.")


def _hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    style = (attributes.get("style") or "").lower().replace(" ", "")
    hidden = "hidden" in attributes or attributes.get("aria-hidden") == "true"
    return hidden or attributes.get("role") in _SITE_ROLES or bool(style and _HIDDEN_STYLE.search(style))


class _Writer:
    """Writes one subtree as Markdown."""

    def __init__(self, root: LexborNode) -> None:
        self._root = root
        self._out: list[str] = []
        self._cells = 0
        self._preformatted = 0
        self._header_rows: list[bool] = []

    def markdown(self) -> str:
        for node, entering in _walk(self._root):
            if node.is_text_node:
                self._text(node.text_content or "")
            elif entering:
                self._open(node, node.tag or "")
            else:
                self._close(node, node.tag or "")
        lines = "".join(self._out).split("\n")
        return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip(" ") for line in lines)).strip()

    def _text(self, text: str) -> None:
        if self._preformatted:
            self._out.append(text)
            return
        text = _SPACES.sub(" ", text)
        if self._cells:
            text = text.replace("|", "\\|")
        if self._out and self._out[-1].endswith(("\n", " ")):
            text = text.lstrip(" ")
        if text:
            self._out.append(text)

    def _break(self, mark: str) -> None:
        """Writes a line break; inside a table cell, where none may stand, a space."""
        self._out.append(mark if not self._cells else " ")

    def _open(self, node: LexborNode, tag: str) -> None:
        if tag in _OPENING:
            self._break(_OPENING[tag])
        if tag == "table":
            self._header_rows.append(False)
        elif tag in ("td", "th"):
            self._out.append("| " if not self._cells else " ")
            self._cells += 1
        elif tag == "pre":
            self._break("\n\n```\n")
            self._preformatted += 1
        elif tag == "code" and not self._preformatted:
            self._out.append("`")
        elif tag == "a" and _link(node):
            self._out.append("[")

    def _close(self, node: LexborNode, tag: str) -> None:
        if tag in ("td", "th"):
            self._cells -= 1
            if not self._out[-1].endswith(" "):
                self._out.append(" ")
        elif tag == "tr":
            self._close_row(node)
        elif tag == "table":
            self._header_rows.pop()
        elif tag == "pre":
            self._preformatted -= 1
            self._break("\n```\n\n")
        elif tag == "code" and not self._preformatted:
            self._out.append("`")
        elif tag == "a" and (link := _link(node)):
            self._out.append(f"]({link})")
        if tag in _CLOSING:
            self._break(_CLOSING[tag])

    def _close_row(self, row: LexborNode) -> None:
        if self._cells or not self._header_rows:
            return
        self._out.append("|")
        if not self._header_rows[-1]:
            columns = sum(1 for cell in row.iter() if cell.tag in ("td", "th"))
            self._out.append("\n|" + " --- |" * columns)
            self._header_rows[-1] = True


def _link(node: LexborNode) -> str:
    found = _WEB_LINK.fullmatch((node.attributes.get("href") or "").strip())
    return found[0] if found else ""


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Yields (node, True) on the way in and (node, False) on the way out of every element."""
    node: LexborNode | None = root
    open_nodes: list[LexborNode] = []
    while node is not None or open_nodes:
        if node is None:
            left = open_nodes.pop()
            yield left, False
            node = left.next if open_nodes else None
        elif node.is_element_node:
            if node.tag in _SILENT or _hidden(node):
                node = node.next if open_nodes else None
                continue
            yield node, True
            open_nodes.append(node)
            node = node.first_child
        else:
            if node.is_text_node:
                yield node, True
            node = node.next
