from textwrap import dedent

import pytest

from lakerag.models.sentences import cut_into_pieces, plain


def quotes(text: str) -> list[str]:
    return [text[piece.start : piece.block_end] for piece in cut_into_pieces(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rained. We stayed.", ["It rained.", "We stayed."]),
        ("Was it J. R. Smith of the U.S. army? Yes.", ["Was it J. R. Smith of the U.S. army?", "Yes."]),
        ("See Fig. 3, e.g. the peak at 3.5 m. It is high.", ["See Fig. 3, e.g. the peak at 3.5 m.", "It is high."]),
        ('He said "Go." Then he left.[2] Nobody came.', ['He said "Go."', "Then he left.[2]", "Nobody came."]),
        ("run v1.2 now. then stop.", ["run v1.2 now. then stop."]),
        ("日本語です。中文。Ende.", ["日本語です。", "中文。", "Ende."]),
        ("Él vive en Ávila. Ólafur no.", ["Él vive en Ávila.", "Ólafur no."]),
        ("One line\ngoes on. Two.", ["One line\ngoes on.", "Two."]),
    ],
)
def test_prose_is_cut_at_the_ends_of_its_sentences(text: str, expected: list[str]) -> None:
    assert quotes(text) == expected


def test_a_code_block_belongs_to_the_sentence_above_it() -> None:
    text = "Install it first. Then run the following command:\n\n```sh\nmake all. Now\n# no heading\n```\n\nDone."
    assert quotes(text) == [
        "Install it first.",
        "Then run the following command:\n\n```sh\nmake all. Now\n# no heading\n```",
        "Done.",
    ]


def test_a_line_of_code_belongs_to_the_list_item_above_it() -> None:
    assert quotes("- List all files:\n\n`ls -a`\n\n- Count them:\n\n`ls | wc`") == [
        "List all files:\n\n`ls -a`",
        "Count them:\n\n`ls | wc`",
    ]


def test_code_below_a_heading_stands_alone() -> None:
    assert quotes("Read this.\n\n## Example\n\n```\nmake\n```") == ["Read this.", "```\nmake\n```"]


def test_an_open_code_fence_reaches_to_the_end() -> None:
    assert quotes("Run:\n\n```\nmake\n\nmake test\n") == ["Run:\n\n```\nmake\n\nmake test"]


def test_list_items_are_pieces_and_their_intro_owns_the_list() -> None:
    text = "Two modes exist:\n\n- fast mode\n  for tests\n- safe mode\n\nChoose one."
    pieces = cut_into_pieces(text)
    assert quotes(text) == [
        "Two modes exist:\n\n- fast mode\n  for tests\n- safe mode",
        "fast mode\n  for tests",
        "safe mode",
        "Choose one.",
    ]
    assert [piece.kind for piece in pieces] == ["prose", "item", "item", "prose"]
    assert [piece.intro for piece in pieces] == ["", "Two modes exist:", "Two modes exist:", ""]


def test_a_table_row_reads_under_its_column_names_and_is_quoted_as_it_stands() -> None:
    text = dedent("""\
        | Option | Default |
        |:-------|--------:|
        | `port` | 8080    |
        | host   | ::1     |
        """)
    assert quotes(text) == ["| `port` | 8080    |", "| host   | ::1     |"]
    assert [piece.read for piece in cut_into_pieces(text)] == [
        "Option: port; Default: 8080",
        "Option: host; Default: ::1",
    ]


def test_a_table_without_header_keeps_every_row() -> None:
    assert quotes("| a | b |\n| c | d |") == ["| a | b |", "| c | d |"]


@pytest.mark.parametrize(
    "line",
    [
        "# Heading",
        "###### Deep heading",
        "---",
        ":::note Careful",
        "> [!NOTE]",
        "<Tabs>",
        "![Figure](a.png)",
        "[Next page](next.md)",
        "Copyright 2024 The Authors",
        "Edit this page",
        "***",
    ],
)
def test_headings_and_furniture_are_no_pieces(line: str) -> None:
    assert quotes(f"Before it.\n{line}\nAfter it.") == ["Before it.", "After it."]


@pytest.mark.parametrize(
    "text",
    [
        "- [Create a partition](create.md)",
        "This topic describes how to drop a collection.",
        "See [Glossary](glossary.md) for more information.",
        "For more information, see the guide.",
    ],
)
def test_what_only_points_elsewhere_is_no_piece(text: str) -> None:
    assert quotes(text) == []


def test_an_announcement_with_its_code_is_a_piece() -> None:
    text = "This section shows how to build:\n\n```\nmake\n```"
    assert quotes(text) == [text]


@pytest.mark.parametrize("text", ["", " \n\t\n", "...", '"', "***\n\n|---|"])
def test_text_without_words_has_no_pieces(text: str) -> None:
    assert cut_into_pieces(text) == []


def test_reading_leaves_markup_out_and_keeps_names() -> None:
    assert (
        plain("Call **`drop_index()`** on [the  page](x.md), *now*\nplease.")
        == "Call drop_index() on the page, now please."
    )
