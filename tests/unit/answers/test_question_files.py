from pathlib import Path

import pytest

from lakerag.answers.question_files import Asked, read_questions
from lakerag.errors import SourceError, UsageError


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_text_file_holds_one_question_a_line(tmp_path: Path) -> None:
    path = write(tmp_path, "q.txt", "\ufeffWhat is Delta?\r\n\n  Who?  \n")
    assert read_questions(path) == [Asked("What is Delta?"), Asked("Who?")]


def test_jsonl_file_holds_one_object_a_line(tmp_path: Path) -> None:
    lines = (
        '{"question": "a\\u2028b", "question_id": "7", "tenant": "t", "groups": ["x,y"], "top_k": 3, "filter": "f"}\n'
        '\n{"question": "b", "groups": null}'
    )
    assert read_questions(write(tmp_path, "q.jsonl", lines)) == [
        Asked("a\u2028b", "7", "t", ["x,y"], 3, "f"),
        Asked("b"),
    ]


def test_csv_file_has_a_header_and_groups_in_one_cell(tmp_path: Path) -> None:
    text = 'question,groups,top_k,tenant\n"What, then?",x;y,3,t\n"two\nlines",,,\n'
    assert read_questions(write(tmp_path, "q.csv", text)) == [
        Asked("What, then?", None, "t", ["x", "y"], 3),
        Asked("two\nlines"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("q.jsonl", '{"question": "a"}\n[1]', r"line 2: expected an object with the field question, found \[1\]"),
        ("q.jsonl", '{"question": "a"', "line 1: expected an object.*delimiter"),
        ("q.jsonl", '{"query": "a"}', "line 1: expected the fields question, .*, found query"),
        ("q.jsonl", '{"question": 1}', "line 1: expected a text in the field question, found 1"),
        ("q.jsonl", '{"question": "a", "groups": "x"}', "line 1: expected a list of texts in the field groups"),
        ("q.jsonl", '{"question": "a", "groups": [1]}', "line 1: expected a list of texts in the field groups"),
        ("q.jsonl", '{"question": "a", "top_k": true}', "line 1: expected a whole number in the field top_k"),
        ("q.jsonl", '{"question": " "}', "line 1: expected a question, found none"),
        ("q.csv", "question,top_k\na,x", "line 2: expected a whole number in the field top_k, found 'x'"),
        ("q.csv", "frage\na", "line 2: expected the fields question"),
        ("q.txt", "\n \n", "Expected at least one question in .*q.txt, found none"),
        ("q.xlsx", "a", r"Expected a file of questions \(.txt, .jsonl, .csv\), found q.xlsx"),
    ],
)
def test_line_that_is_no_question_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_questions(write(tmp_path, name, text))


def test_unreadable_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_questions(tmp_path / "absent.txt")
    (tmp_path / "latin.txt").write_bytes("Käse?".encode("latin-1"))
    with pytest.raises(SourceError, match="cannot be read"):
        read_questions(tmp_path / "latin.txt")
