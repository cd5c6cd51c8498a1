"""Turns docstrings (numpydoc, Google style, reStructuredText fields) into Markdown."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import dedent

SECTIONS = {
    "Args": "Parameters",
    "Arguments": "Parameters",
    "Parameters": "Parameters",
    "Return": "Returns",
    "Returns": "Returns",
    "Raises": "Raises",
    "Note": "Notes",
    "Notes": "Notes",
    "Example": "Example",
    "Examples": "Example",
}
"""Sections that are kept, under one name each; others (See Also, References, Methods) are left out."""

_GOOGLE_HEAD = re.compile(r"(\w[\w ]*):+\s*$")
_FIELD = re.compile(r":(\w+)\s*([^:`]*):(?!`)\s*(.*)")
_DIRECTIVE = re.compile(r"\.\. ([\w-]+)::\s*(.*)")
_ARGUMENT = re.compile(r"[*`]*([\w.]+)[*`]*\s*(?:\((.+)\))?$")
_UNDERLINE = re.compile(r"[-=~]{3,}\s*$")
_REMARKS = ("note", "warning", "important", "tip")


@dataclass
class _Section:
    name: str = ""
    """A value of `SECTIONS`, empty for text outside of them, `-` for what is left out."""
    numpy: bool = False
    lines: list[str] = field(default_factory=list)


def to_markdown(docstring: str) -> str:
    r"""Returns a docstring as Markdown: prose, then `##` sections, with the first example alone.

    Example:
        >>> print(to_markdown("Adds.\n\n:param x: A :class:`~numpy.ndarray`."))
        Adds.
        <BLANKLINE>
        ## Parameters
        <BLANKLINE>
        - `x`: A `ndarray`.
    """
    bodies: dict[str, list[str]] = {}
    for section in _sections(inspect.cleandoc(docstring).splitlines()):
        if section.name != "-" and (body := _body(section)):
            bodies.setdefault(section.name, []).append(body)
    return "\n\n".join(_titled(name, texts) for name, texts in bodies.items())


def inline(text: str) -> str:
    """Resolves roles, literals and links inside a line."""
    text = re.sub(r":[\w:]+:`(?:[^`<]*?\s*<)?[~!]?([^`<>]+)>?`", lambda match: f"`{match[1].rsplit('.', 1)[-1]}`", text)
    text = re.sub(r"`([^`<]+?)\s*<[^`>]+>`__?", r"\1", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    return re.sub(r"`([^`]+)`_\b", r"\1", text)


def fence(code: str) -> str:
    return f"```python\n{code}\n```"


def _titled(name: str, bodies: list[str]) -> str:
    text = ("\n" if name == "Parameters" else "\n\n").join(bodies)
    return f"## {name}\n\n{text}" if name else text


def _sections(lines: list[str]) -> Iterator[_Section]:
    """Splits at underlined titles, at `Args:` and the like, and at `:param x:` fields."""
    current, i = _Section(), 0
    while i < len(lines):
        line, below = lines[i], lines[i + 1] if i + 1 < len(lines) else ""
        title = SECTIONS.get(match[1]) if (match := _GOOGLE_HEAD.match(line)) else None
        if line.strip() and _UNDERLINE.match(below) and not line.startswith(" "):
            yield current
            current, i = _Section(SECTIONS.get(line.strip(), "-"), numpy=True), i + 1
        elif title and (below.startswith(" ") or not below.strip()):
            yield current
            current = _Section(title, lines=["::"] if line.rstrip().endswith("::") else [])
        elif match := _FIELD.match(line):
            name = {"param": "Parameters", "return": "Returns", "returns": "Returns"}.get(match[1], "-")
            if current.name != name or current.numpy:
                yield current
                current = _Section(name)
            current.lines.append(f"{match[2]}: {match[3]}" if name == "Parameters" else match[3])
        elif current.name and not current.numpy and _leaves(current, line):
            yield current
            current = _Section("Example" if line.startswith(".. code") else "", lines=[line])
        else:
            current.lines.append(line)
        i += 1
    yield current


def _leaves(section: _Section, line: str) -> bool:
    """A Google-style section is indented: what stands at the margin again is not of it."""
    return bool(line.strip()) and not line.startswith(" ") and any(old.startswith(" ") for old in section.lines)


def _body(section: _Section) -> str:
    lines = dedent("\n".join(section.lines)).strip("\n").splitlines()
    if section.name in ("Parameters", "Raises"):
        return "\n".join(_item(head, text, numpy=section.numpy) for head, text in _items(lines))
    if section.name == "Returns" and section.numpy:
        return "\n".join(f"{inline(head)}: {text}" if text else inline(head) for head, text in _items(lines))
    blocks = list(_blocks(lines))
    if section.name == "Example":
        blocks = _first_example(blocks)
    return "\n\n".join(blocks)


def _first_example(blocks: list[str]) -> list[str]:
    """Returns the code up to the first words behind it, and the words before it."""
    is_code = [block.startswith("```") for block in blocks]
    ends = (i for i in range(1, len(blocks)) if is_code[i - 1] and not is_code[i])
    return blocks[: next(ends, len(blocks))] if any(is_code) else []


def _items(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yields every unindented line with the indented ones below it joined; directives are left out."""
    head, below = "", list[str]()
    for line in [*lines, "end"]:
        if line.startswith(" ") or not line.strip():
            below.append(line)
            continue
        if head and not _DIRECTIVE.match(head):
            yield head, " ".join(" ".join(_blocks(dedent("\n".join(below)).splitlines())).split())
        head, below = line.strip(), []


def _item(head: str, text: str, *, numpy: bool) -> str:
    name, _, more = head.partition(" : " if numpy and " : " in head else ":")
    match = _ARGUMENT.match(name.strip())
    name, kind = (match[1], match[2]) if match else (name.strip(), None)
    kind = more.strip() if numpy else kind
    told = text if numpy else f"{inline(more.strip())} {text}"
    return f"- `{name}`{f' ({inline(kind)})' if kind else ''}: {told.strip()}".rstrip(": ")


def _blocks(lines: list[str]) -> Iterator[str]:
    """Yields paragraphs, remarks and fenced code."""
    i, prose = 0, list[str]()
    while i < len(lines):
        line = lines[i]
        start, i = i, i + 1
        directive = _DIRECTIVE.match(line)
        if directive or line.rstrip().endswith("::"):
            i = _end_of_indented(lines, i)
            if not directive and line.strip() != "::":
                prose.append(inline(line.rstrip()[:-1]))
            yield from _flush(prose)
            yield from _literal(directive, dedent("\n".join(lines[start + 1 : i])))
        elif line.lstrip().startswith((">>>", "```")):
            i = _end_of_code(lines, start)
            yield from _flush(prose)
            yield from _code(lines[start:i])
        elif line.strip():
            prose.append(inline(line.strip()))
        else:
            yield from _flush(prose)
    yield from _flush(prose)


def _flush(prose: list[str]) -> Iterator[str]:
    if prose:
        yield "\n".join(prose)
        prose.clear()


def _literal(directive: "re.Match[str] | None", body: str) -> Iterator[str]:
    if directive is None or directive[1].startswith("code"):
        code = re.sub(r"\A(\s*:\w+:.*\n)+", "", body).strip("\n")
        yield from _code(code.splitlines()) if ">>>" in code else ([fence(code)] if code.strip() else [])
    elif directive[1] in _REMARKS:
        text = inline(" ".join(f"{directive[2]} {body}".split()))
        yield f"**{directive[1].capitalize()}:** {text}"


def _code(lines: list[str]) -> Iterator[str]:
    """Yields a fence with the code of a session; what the session printed is left out."""
    if lines[0].lstrip().startswith("```"):
        kept = lines[1:-1]
    else:
        kept = [line.lstrip()[4:] for line in lines if line.lstrip().startswith((">>>", "..."))]
    code = re.sub(r"\s*# doctest:.*", "", dedent("\n".join(kept)))
    if code.strip():
        yield fence(code.strip("\n"))


def _end_of_indented(lines: list[str], i: int) -> int:
    while i < len(lines) and (not lines[i].strip() or lines[i].startswith(" ")):
        i += 1
    return i


def _end_of_code(lines: list[str], start: int) -> int:
    fenced = lines[start].lstrip().startswith("```")
    for i in range(start + 1, len(lines)):
        if fenced and lines[i].lstrip().startswith("```"):
            return i + 1
        if not fenced and not lines[i].strip():
            return i
    return len(lines)
