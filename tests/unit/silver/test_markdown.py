"""Markdown keeps its structure and its code; tags and declarations do not end up as text."""

import re
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


def test_a_comment_ends_at_its_first_end() -> None:
    assert markdown("a<!-- x - < <b> <!-- y\n--->b --> c") == "ab --> c"
    assert markdown("a {/* x * { */} b <!-- never closed") == "a  b <!-- never closed"


def test_code_stays_as_it_is() -> None:
    text = "```html\n<div>&amp;<!-- x --></div>\n# no heading\n```\n\nInline `<b>&lt;` and ``a ` <i>``.\n"
    assert parse_markdown(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "Rules go into a `<style>` element.\n\nSecond paragraph.\n\nEnd with `</style>` always.",
        "Use `<table>` here.\n\n- one\n- two\n\nClose it with ``a ` </table>``.",
        "A span `over\nlines <script>` and `</script>`.",
        "In a comment: `<!-- <table> -->`, `</table>`.",
    ],
)
def test_code_that_names_an_element_is_none(text: str) -> None:
    assert parse_markdown(text).text == text


def test_a_stray_backtick_reaches_no_further_than_its_paragraph() -> None:
    text = "Press \\` or `.\n\n- a ` b\n- `<b>` c\n1. ` d\n2. `<i>`\n# `\n| ` |\n| `<b>` |"
    assert parse_markdown(text).text == text
    assert markdown("Escaped \\` <b>x</b> `") == "Escaped \\` x `"


def test_elements_are_told_by_their_whole_name() -> None:
    text = "A <stylesheet-note>rule</stylesheet-note>, a <scripted>\n\nKept </style> and </script>."
    assert parse_markdown(text).text == text


def test_an_element_without_its_end_takes_no_text_along() -> None:
    assert markdown("A <style> tag.\n\nKept.\n\n<style>x{}</style>\nEnd") == "A <style> tag.\n\nKept.\n\nEnd"
    assert markdown("<script>\n\nKept") == "<script>\n\nKept"
    assert markdown("<!-- <table> -->\nKept.\n\nEnd with </table>.") == "Kept.\n\nEnd with </table>."


def test_behind_text_an_element_ends_in_its_paragraph() -> None:
    text = "Put <style> there.\n\nKept.\n\nEnd with </style>."
    assert parse_markdown(text).text == text
    assert markdown("a <script>x\ny</script>\nb") == "a \nb"


@pytest.mark.parametrize("lead", ["", "  ", "> ", "- ", "1. ", "<div><center>"])
def test_at_the_beginning_of_a_line_an_element_may_hold_empty_lines(lead: str) -> None:
    kept = lead.replace("<div><center>", "")
    assert parse_markdown(f"a\n{lead}<style>\nx{{}}\n\ny{{}}\n</style>b").text == f"a\n{kept}b"


def test_an_unclosed_fence_reaches_to_the_end() -> None:
    text = "Text\n\n~~~\n<div>\n```\n# x"
    assert parse_markdown(text).text == text
    assert first_heading(text) == ""


def test_an_html_table_becomes_a_markdown_table() -> None:
    table = "<table><tr><th>Key</th><th>Use</th></tr><tr><td><code>a|b</code></td><td>x<br>y</td></tr></table>"
    assert markdown(f"Before\n{table}\nAfter") == "Before\n\n| Key | Use |\n| --- | --- |\n| `a\\|b` | x y |\n\nAfter"


def test_a_table_stands_where_it_stood_behind_letters_that_grow_in_lower_case() -> None:
    table = "<TABLE><tr><td>a</td></tr></Table >"
    assert markdown(f"İİİİ intro\n\n{table}\n\nafter") == "İİİİ intro\n\n| a |\n| --- |\n\nafter"


def test_a_table_in_a_table_stays_in_its_cell() -> None:
    inner = "<table><tr><td>b</td><td>c</td></tr></table>"
    rows = f"<tr><td>a</td><td>{inner}</td></tr><tr><td>d</td><td>e</td></tr>"
    table = markdown(f"<table>{rows}</table>")
    assert re.sub(" +", " ", table) == "| a | b c |\n| --- | --- |\n| d | e |"


def test_entities_in_a_table_are_decoded_once() -> None:
    assert "| &lt; <div> |" in markdown("<table><tr><td>&amp;lt; &lt;div&gt;</td></tr></table>")


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


def test_mdx_tells_elements_from_components_by_case() -> None:
    text = """
    <Table style={{ width: "100%" }}>

    | a | b |
    | - | - |

    </Table>
    <table style={{ width: "100%" }}><tr><td>c</td></tr></table>
    """
    assert mdx(text) == "| a | b |\n| - | - |\n| c |\n| --- |"


def test_components_are_text_in_plain_markdown() -> None:
    assert (
        markdown("A List<String> and <Row>.\n\nimport x from 'y'") == "A List<String> and <Row>.\n\nimport x from 'y'"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<table>" * 20_000,
        "x <table>" * 20_000 + "\n\n" + "</table>" * 20_000,
        "<b>" * 20_000 + "x" + "<table>" * 20_000 + "\n\n" + "</table>" * 20_000,
        "<style><script>" * 20_000 + "</table>",
        "<table>\n\n</table>" * 20_000,
        "`" * 50_000,
        "`" + "x\n" * 50_000,
        " ".join("`" * length for length in range(500)),
        " ".join("`" * (n % 17) for n in range(50_000)),
        "`</table>" * 50_000,
        "<!--" * 50_000,
        "{/*" * 50_000,
        "<a " * 30_000,
        ("<a {" + "{}" * 300) * 300,
        "```\n" * 20_001,
        "[" * 50_000,
        "# " + "# " * 50_000 + "x",
    ],
)
def test_hostile_repetition_ends(text: str) -> None:
    parse_markdown(text)
