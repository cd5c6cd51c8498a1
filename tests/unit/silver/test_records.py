"""Rows become records that can be read alone; bad rows are named and do not pass silently."""

import json

import pytest

from lakerag.silver.parsers.base import RefusedError, RefusedRow
from lakerag.silver.parsers.delimited import parse_csv
from lakerag.silver.parsers.json_records import parse_json, parse_jsonl


def test_csv_rows_carry_the_names_of_the_header() -> None:
    parsed = parse_csv('id,title,body\n1,"Two\nlines, one field","He said ""stop""."\n\n2,Empty,\n')
    assert parsed.text == 'id: 1\ntitle: Two\nlines, one field\nbody: He said "stop".\n\nid: 2\ntitle: Empty'
    assert parsed.metadata == {"records": "2"}
    assert parsed.flags == ()


def test_columns_of_the_same_name_keep_all_values() -> None:
    assert parse_csv("name,phone,phone\nann,111,222\n").text == "name: ann\nphone: 111\nphone: 222"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(delimiter: str) -> None:
    assert parse_csv(f"a{delimiter}b\r\n1{delimiter}2\r\n").text == "a: 1\nb: 2"


def test_csv_rows_of_another_length_are_left_out_and_named() -> None:
    parsed = parse_csv('a,b\n1,2\n3\n4,5,6\n7,8\n9,"open\n10,11\n')
    assert parsed.text == "a: 1\nb: 2\n\na: 7\nb: 8"
    assert parsed.flags == ("refused_rows:3",)
    assert parsed.refused_rows == (
        RefusedRow(3, "fields", "1 fields instead of 2"),
        RefusedRow(4, "fields", "3 fields instead of 2"),
        RefusedRow(6, "quote", "unexpected end of data"),
    )


@pytest.mark.parametrize(("text", "reason"), [("", "empty"), ("a,b\n", "empty"), ("a,b\n1\n2\n", "corrupt")])
def test_a_table_without_good_rows_is_refused(text: str, reason: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_csv(text)
    assert refused.value.reason == reason


def test_a_field_may_be_long() -> None:
    assert parse_csv(f"a,b\n1,{'word ' * 100_000}\n").text.count("word") == 100_000


def test_json_lines_keep_good_lines_and_name_bad_ones() -> None:
    lines = [
        '{"id": 1, "text": "One"}',
        "",
        "{broken",
        "[1]",
        '{"id": 2}',
        '{"id": 3, "text": " "}',
        '{"id": 4, "text": "Four"}',
    ]
    parsed = parse_jsonl("\n".join(lines))
    assert parsed.text == "id: 1\ntext: One\n\nid: 4\ntext: Four"
    assert parsed.flags == ("refused_rows:4",)
    assert parsed.refused_rows == (
        RefusedRow(3, "not_json", "not JSON"),
        RefusedRow(4, "not_object", "not an object"),
        RefusedRow(5, "no_text", "no text in 'text'"),
        RefusedRow(6, "no_text", "no text in 'text'"),
    )


def test_json_objects_are_flattened_in_order() -> None:
    value = {"name": "pump", "spec": {"bar": 62, "on": True, "tags": ["a", {"b": "c"}]}, "none": None}
    assert parse_json(json.dumps(value)).text == "name: pump\nspec.bar: 62\nspec.on: true\nspec.tags: a\nspec.tags.b: c"


def test_the_fields_that_are_text_stand_alone_in_the_order_wanted() -> None:
    lines = ['{"id": 1, "doc": {"head": "# Pump", "body": "It is blue."}}', '{"id": 2, "doc": {"body": " "}}']
    parsed = parse_jsonl("\n".join(lines), ("doc.head", "doc.body"))
    assert parsed.text == "# Pump\n\nIt is blue."
    assert parsed.metadata == {"records": "1"}
    assert parsed.refused_rows == (RefusedRow(2, "no_text", "no text in 'doc.head', 'doc.body'"),)
    assert parse_json('{"id": 1, "body": "One"}', ("body",)).text == "One"
    assert parse_json('[{"body": "One"}, {"body": "Two"}]', ("body",)).text == "One\n\nTwo"
    with pytest.raises(RefusedError, match="no text in 'body'"):
        parse_json('["body"]', ("body",))


def test_a_json_list_of_objects_is_records() -> None:
    assert parse_json('[{"a": 1}, {"a": 2}]').text == "a: 1\n\na: 2"


def test_broken_json_is_corrupt() -> None:
    with pytest.raises(RefusedError) as refused:
        parse_json("{")
    assert refused.value.reason == "corrupt"
