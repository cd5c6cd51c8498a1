from lakerag.gold.structure import BLOCK, HEADING, LINE, SENTENCE, structure


def cuts(text: str) -> list[tuple[str, int]]:
    """The cuts as (the text that follows up to a line's end, strength)."""
    return [(text[at:].split("\n")[0], strength) for at, strength in structure(text).cuts]


def test_blocks_and_sentences_are_cuts_and_the_first_block_below_a_heading_is_none():
    text = "Intro here. Second one.\n\n# A\n\nBelow A.\n\nNext block.\n\n## B\nBelow B.\n"
    assert cuts(text) == [
        ("Second one.", SENTENCE),
        ("# A", HEADING),
        ("Next block.", BLOCK),
        ("## B", HEADING),
    ]


def test_deeper_heading_stays_with_the_heading_above_it_and_equal_one_does_not():
    assert cuts("# A\n## B\ntext\n# C\n# D\ntext") == [("# C", HEADING), ("# D", HEADING)]


def test_fence_is_one_block_cut_only_between_lines_whatever_stands_in_it():
    text = "Run:\n\n```sh\n# no heading\n\n| no | table |\n```\nAfter.\n"
    assert cuts(text) == [
        ("```sh", BLOCK),
        ("# no heading", LINE),
        ("", LINE),
        ("| no | table |", LINE),
        ("```", LINE),
        ("After.", BLOCK),
    ]
    assert structure(text).headings == []


def test_unclosed_fence_runs_to_the_end():
    assert cuts("a\n```\nb\n# c") == [("```", BLOCK), ("b", LINE), ("# c", LINE)]


def test_longer_fence_is_closed_by_its_own_length_only():
    assert cuts("````\n```\nx\n````\nAfter") == [("```", LINE), ("x", LINE), ("````", LINE), ("After", BLOCK)]


def test_table_header_is_not_cut_from_its_first_row():
    text = "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nend"
    assert cuts(text) == [("| 3 | 4 |", LINE), ("end", BLOCK)]
    [table] = structure(text).tables
    assert text[table.start : table.head_end] == "| a | b |\n|---|---|\n"
    assert text[table.end :] == "\nend"


def test_rows_without_a_rule_below_the_first_have_no_header():
    assert structure("| a |\n| b |\n| c |\n").tables == []


def test_list_items_are_cut_and_their_continuations_are_not():
    assert cuts("- one\n  more\n- two\n1. three\n") == [("- two", LINE), ("1. three", LINE)]


def test_heading_levels_and_titles_are_read_without_closing_marks():
    headings = structure("## Use `x` ##\ntext\n#hash\n").headings
    assert [(heading.level, heading.title) for heading in headings] == [(2, "Use `x`")]


def test_sentences_of_a_text_without_capitals_end_at_their_marks_and_not_after_initials():
    text = "net income rose to 5.2 million in 2017. the u.s. tax fell by 3%, see note 14. debt fell.\n"
    assert cuts(text) == [
        ("the u.s. tax fell by 3%, see note 14. debt fell.", SENTENCE),
        ("debt fell.", SENTENCE),
    ]


def test_a_line_that_nobody_wrapped_is_a_paragraph():
    long = "A paragraph on one line " * 8
    assert cuts(f"{long}\nResults\nshort lines\nof one paragraph\n{long}\n") == [("Results", LINE)]


def test_headings_of_wikis_are_headings():
    text = "= Ship =\nIntro.\n== Crew ==\nTen.\n = = = Pay = = = \nLow.\n"
    assert [(heading.level, heading.title) for heading in structure(text).headings] == [
        (1, "Ship"),
        (2, "Crew"),
        (3, "Pay"),
    ]
    assert structure("a = b\n=== x ==\n= =\n==\n").headings == []


def test_rows_of_a_table_need_no_outer_marks():
    assert cuts("year | amount\n2014 | 135\n2015 | 127\n\nRun `a | b` here") == [
        ("2014 | 135", LINE),
        ("2015 | 127", LINE),
        ("Run `a | b` here", BLOCK),
    ]
    [table] = structure("a | b\n--|--\n1 | 2\n3 | 4\n").tables
    assert table.head_end == len("a | b\n--|--\n")
