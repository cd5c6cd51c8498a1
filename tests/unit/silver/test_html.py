"""HTML gives what a reader sees, as Markdown."""

import pytest

from lakerag.silver.parsers.base import RefusedError
from lakerag.silver.parsers.html import MAX_DEPTH, declared_charset, parse_html


def body(html: str) -> str:
    return parse_html(f"<html><body>{html}</body></html>").text


def test_structure_becomes_markdown() -> None:
    html = (
        "<h1>Pump &amp; valve</h1><p>One\n two <b>three</b></p><div>four</div>five"
        "<ul><li>a</li><li>b <a href='https://x.test/p'>c</a> <a href='#top'>d</a></li></ul><h3>Last</h3>"
    )
    assert body(html) == (
        "# Pump & valve\n\nOne two three\n\nfour\n\nfive\n\n- a\n- b [c](https://x.test/p) d\n\n### Last"
    )


def test_code_keeps_its_lines_and_spaces() -> None:
    assert body("<p>Run <code>x  y</code>:</p><pre><code>def f():\n    return 1\n</code></pre>") == (
        "Run `x y`:\n\n```\ndef f():\n    return 1\n\n```"
    )


def test_table_cells_do_not_run_together() -> None:
    head = "<thead><tr><th>A</th><th>B</th></tr></thead>"
    rows = "<tbody><tr><td>1<p>2</p></td><td>3|4</td></tr></tbody>"
    assert body(f"<table>{head}{rows}</table>") == "| A | B |\n| --- | --- |\n| 1 2 | 3\\|4 |"


@pytest.mark.parametrize(
    "html",
    [
        "<script>no</script>",
        "<style>no</style>",
        "<!-- no -->",
        "<template>no</template>",
        "<noscript>no</noscript>",
        "<nav>no</nav>",
        "<p hidden>no</p>",
        "<div aria-hidden='true'><p>no</p></div>",
        "<p style='color:red; DISPLAY : none'>no</p>",
        "<p style='font-size:0'>no</p>",
        "<img alt='no' onerror='no'>",
    ],
)
def test_what_no_reader_sees_is_left_out(html: str) -> None:
    assert body(f"<p>before</p>{html}<p>after</p>") == "before\n\nafter"


def test_the_main_content_alone_is_taken_where_it_is_marked() -> None:
    assert body("<div>menu</div><main><p>text</p></main><div>legal</div>") == "text"


def test_an_article_that_is_the_page_is_taken_alone_and_what_stands_beside_it_is_counted() -> None:
    parsed = parse_html(
        "<body><header>Site</header><nav>Home</nav><article><h1>Pump</h1><p>It is on.</p></article>"
        "<aside>Other pages about pumps and valves.</aside><div>Legal</div><footer>2024</footer></body>"
    )
    assert parsed.text == "# Pump\n\nIt is on."
    assert parsed.flags == ("outside_article:39",)
    assert parse_html("<article>Text</article><footer>2024</footer>").flags == ()


@pytest.mark.parametrize(
    "article",
    [
        "<article>News: a valve.</article>",
        "<div hidden><article>Hidden, and longer than all that is to be read.</article></div>",
        "<aside><article>Beside the matter, and longer than all the rest of it.</article></aside>",
    ],
)
def test_an_article_that_is_not_the_page_takes_no_text_away(article: str) -> None:
    parsed = parse_html(f"<h1>Pump</h1><p>It is on and stays on.</p>{article}<p>End.</p><nav>Home</nav>")
    assert parsed.text.startswith("# Pump\n\nIt is on and stays on.\n\n")
    assert parsed.text.endswith("\n\nEnd.")
    assert parsed.flags == ("removed_boilerplate:1",)


def test_main_is_taken_whole_with_an_article_in_it() -> None:
    assert body("<main><p>Before</p><article>A longer text.</article><p>After</p></main>") == (
        "Before\n\nA longer text.\n\nAfter"
    )


def test_the_title_is_the_first_heading_then_the_page_title() -> None:
    assert parse_html("<title>Page | Site</title><h1>Page</h1>x").title == "Page"
    assert parse_html("<title>Page | Site</title>x").title == "Page | Site"


def test_a_title_that_is_never_closed_does_not_swallow_the_page() -> None:
    parsed = parse_html("<html><head><title>Broken<body><p>Unclosed <b>bold</p><p>End")
    assert (parsed.title, parsed.text) == ("Broken", "Unclosed bold\n\nEnd")


def test_depth_is_no_matter_up_to_its_limit() -> None:
    assert body("<div>" * 5_000 + "deep" + "</div>" * 5_000) == "deep"
    with pytest.raises(RefusedError, match="parse_limit"):
        body("<div>" * (MAX_DEPTH + 1))
    assert body("<p>a<br>" * 20 + "<b>b</b>" * 30_000).endswith("b")


@pytest.mark.parametrize(
    ("head", "charset"),
    [
        (b"<meta charset='iso-8859-1'>", "iso-8859-1"),
        (b'<META content="text/html; charset=cp1251">', "cp1251"),
        (b"", ""),
    ],
)
def test_a_claimed_encoding_is_found(head: bytes, charset: str) -> None:
    assert declared_charset(b"<html><head>" + head) == charset


def test_what_repeats_on_every_page_of_a_site_goes_and_is_flagged() -> None:
    parsed = parse_html(
        "<body><nav>Home</nav><div role='search'>Find</div><h1>Pump</h1><p>It is on.</p>"
        "<div role='contentinfo'>Imprint</div><footer>2024</footer></body>"
    )
    assert parsed.text == "# Pump\n\nIt is on."
    assert parsed.flags == ("removed_boilerplate:4",)
    assert parse_html("<main><h1>Pump</h1></main><footer>2024</footer>").flags == ()
