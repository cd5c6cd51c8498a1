"""Markdown keeps its structure and its code; tags and declarations do not end up as text."""

from textwrap import dedent

import pytest

from lakerag.silver.parsers.markdown import first_heading, parse_markdown, parse_mdx


def markdown(text: str) -> str:
    return parse_markdown(dedent(text)).text.strip()


def mdx(text: str) -> str:
    lines = parse_mdx(dedent(text).strip("\n")).text.splitlines()
    return "\n".join(line for line in lines if line.strip())


def test_plain_markdown_is_untouched() -> None:
    text = "# Title\n\nA *b* [link](https://x.test/a_b) ![alt](p.png).\n\n| a | b |\n| - | - |\n\n1. x\n   - y\n"
    assert parse_markdown(text).text == text


def test_the_title_is_declared_or_the_first_heading_outside_code() -> None:
    assert parse_markdown("---\ntitle: Declared\n---\n# Heading").title == "Declared"
    assert parse_markdown("```\n# comment\n```\n\n# Heading #\n# Second").title == "Heading"
    assert parse_markdown("Underlined\n===\n").title == "Underlined"
    assert parse_markdown("## Only a second level").title == ""


def test_tags_go_and_what_they_hold_stays() -> None:
    text = """
    <div class="alert note">

    Keep <b>this</b> and <a href="x">that</a>.<br>Next

    </div>
    <h2 id="x">Install</h2>
    <ul><li>one</li><li>two</li></ul>
    """
    assert [line for line in markdown(text).splitlines() if line.strip()] == [
        "Keep this and that.", "Next", "## Install", "- one", "- two",
    ]  # fmt: skip


def test_placeholders_and_comparisons_are_text() -> None:
    assert markdown("Use <your-token> if a < b and c > d, &lt;ok&gt; &amp; AT&T.") == (
        "Use <your-token> if a < b and c > d, <ok> & AT&T."
    )


def test_comments_scripts_and_styles_go() -> None:
    assert markdown("a<!-- hidden\n\n# no --> b<script>bad()</script> c<STYLE>x{}</STYLE> d") == "a b c d"


def test_code_stays_as_it_is() -> None:
    text = "```html\n<div>&amp;<!-- x --></div>\n# no heading\n```\n\nInline `<b>&lt;` and ``a ` <i>``.\n"
    assert parse_markdown(text).text == text


def test_an_unclosed_fence_reaches_to_the_end() -> None:
    text = "Text\n\n~~~\n<div>\n```\n# x"
    assert parse_markdown(text).text == text
    assert first_heading(text) == ""


def test_an_html_table_becomes_a_markdown_table() -> None:
    table = "<table><tr><th>Key</th><th>Use</th></tr><tr><td><code>a|b</code></td><td>x<br>y</td></tr></table>"
    assert markdown(f"Before\n{table}\nAfter") == "Before\n\n| Key | Use |\n| --- | --- |\n| `a\\|b` | x y |\n\nAfter"


def test_a_break_in_a_table_row_does_not_end_the_row() -> None:
    assert markdown("| a<br>b | <ul><li>c</li></ul> |") == "| a b |  c |"


def test_images_with_their_bytes_inside_leave_only_their_words() -> None:
    assert markdown("![A pump](data:image/png;base64,AAAA) ![B](b.png)") == "A pump ![B](b.png)"


def test_mdx_declarations_and_components_go() -> None:
    text = """
    import { Tabs, TabItem } from "@site/components";
    import {
      Aside,
    } from './x';
    import "./style.css"
    export const meta = {
      a: 1,
    };

    import tax is a word here.
    <Tabs syncKey="a" render={() => <b/>}>
      <TabItem label="A > B">
        ```python
        def f():
            return 1
        ```
      </TabItem>
    </Tabs>
    {/* a comment */}
    <Aside type="note" />Done.
    """
    assert mdx(text) == "import tax is a word here.\n```python\ndef f():\n    return 1\n```\nDone."


def test_components_are_text_in_plain_markdown() -> None:
    assert (
        markdown("A List<String> and <Row>.\n\nimport x from 'y'") == "A List<String> and <Row>.\n\nimport x from 'y'"
    )


@pytest.mark.parametrize(
    "text",
    ["<table>" * 20_000, "`" * 50_000, "<a " * 30_000, "```\n" * 20_001, "[" * 50_000, "# " + "# " * 50_000 + "x"],
)
def test_hostile_repetition_ends(text: str) -> None:
    parse_markdown(text)
