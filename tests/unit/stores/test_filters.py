# ruff: noqa: RUF001 - look-alike characters are what is tested
import os
import random

import pytest

from lakerag.errors import ConfigError, UsageError
from lakerag.stores.filters import Comparison, Every, Field, Some, negate, parse
from tests.hostile import PIECES, hostile_text

CASES = int(os.environ.get("LAKERAG_HOSTILE_CASES", "100000")) // 10
FIELDS = {"year": "number", "tags": "texts", "day": "date", "team": "text"}
LANG = Field("lang", "text", metadata=False)
YEAR = Field("year", "number", metadata=True)
TAGS = Field("tags", "texts", metadata=True)
DAY = Field("day", "date", metadata=True)
TEAM = Field("team", "text", metadata=True)


def test_and_binds_stronger_than_or():
    assert parse('lang == "en" or year >= 2024 and tags has "spark"', FIELDS) == Some(
        (
            Comparison(LANG, "==", ("en",)),
            Every((Comparison(YEAR, ">=", (2024,)), Comparison(TAGS, "has", ("spark",)))),
        )
    )


def test_parentheses_bind_strongest():
    assert parse('(lang == "en" or year < 1.5e1) and day <= "2024-05-01"', FIELDS) == Every(
        (
            Some((Comparison(LANG, "==", ("en",)), Comparison(YEAR, "<", (15,)))),
            Comparison(DAY, "<=", ("2024-05-01",)),
        )
    )


def test_not_is_pushed_down_to_the_comparisons():
    assert parse('not (lang == "en" or not year > -2.5)', FIELDS) == Every(
        (Comparison(LANG, "==", ("en",), negated=True), Comparison(YEAR, ">", (-2.5,)))
    )


def test_membership_keeps_its_values_in_order():
    assert parse("team in [\"b\", 'a']", FIELDS) == Comparison(TEAM, "in", ("b", "a"))
    assert parse('team not in ["b"]', FIELDS) == Comparison(TEAM, "in", ("b",), negated=True)
    assert parse('team != "b"', FIELDS) == Comparison(TEAM, "==", ("b",), negated=True)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'"a\"b"', 'a"b'),
        (r"'a\'b'", "a'b"),
        ("'a\"b'", 'a"b'),
        (r'"\\"', "\\"),
        (r'"\n\r\t"', "\n\r\t"),
        (r'"\\n"', "\\n"),
        ('"\x00"', "\x00"),
        ('" or lang == "', " or lang == "),
        ('"日本 %_ 😀"', "日本 %_ 😀"),
        ('""', ""),
    ],
)
def test_a_quoted_text_is_exactly_what_it_says(literal, value):
    assert parse(f"team == {literal}", FIELDS) == Comparison(TEAM, "==", (value,))


def test_names_may_begin_with_a_keyword():
    fields = {"order": "text", "android": "text", "notes": "text", "hash": "text"}
    condition = parse('order == "1" and android == "2" and notes == "3" or hash == "4"', fields)
    assert isinstance(condition, Some)


def test_negation_twice_is_the_condition_itself():
    condition = parse('lang == "en" and (year < 3 or tags has "a")', FIELDS)
    assert negate(negate(condition)) == condition


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "at character 0: expected .*a field.*; found the end"),
        ('lang = "en"', "at character 5: expected a comparison .*; found '='"),
        ("lang ==", "expected a number, a quoted text; found the end"),
        ('lang == "en" lang', "at character 13: expected .*and.*or.*; found 'lang'"),
        ("lang in []", "expected a number, a quoted text; found ']'"),
        ('lang == "en', "at character 8"),
        ('lang == "a" ; drop', "found ';'"),
        ("yaer == 2024", "undeclared field 'yaer'; the nearest declared one is year"),
        ('tenant == "acme"', "undeclared field 'tenant'"),
        ('acl_groups has "*"', "undeclared field 'acl_groups'"),
        ('metadata["year"] == 1', "found '\\['"),
        ('year == "2024"', 'year is of kind number: expected a number, found "2024"'),
        ("lang == 1", "lang is of kind text: expected a quoted text, found 1"),
        ('tags == "a"', "kind texts, which has no `==`; write: tags has"),
        ('lang has "a"', "kind text, which has no `has`; write: =="),
        ('day > "yesterday"', "day is a date: expected"),
        ('day > "2024-02-30"', "day is a date: expected"),
        ("year == 1e999", "too large"),
        (r'lang == "\x41"', r"unknown escape \\x"),
        ('lang == "\ud800"', "lone surrogate"),
        ("year == ١", "found '١'"),
        ('lang == "' + "a" * 5000 + '"', "5010 characters, at most 4096"),
    ],
)
def test_a_wrong_filter_says_what_was_expected_and_found(expression, message):
    with pytest.raises(UsageError, match=message):
        parse(expression, FIELDS)


def test_depth_is_bounded_however_it_is_written():
    deep = 'lang == "a"'
    for _ in range(9):
        deep = f'(lang == "b" and (lang == "c" or {deep}))'
    with pytest.raises(UsageError, match="nested 18 levels deep, at most 16"):
        parse(deep, FIELDS)
    assert parse("(" * 1500 + 'lang == "a"' + ")" * 1500, FIELDS) == Comparison(LANG, "==", ("a",))
    assert parse("not " * 1000 + 'lang == "a"', FIELDS) == Comparison(LANG, "==", ("a",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({'x"]': "text"}, "expected a name"),
        ({"tenant": "text"}, "expected a name"),
        ({"title": "text"}, "name of an index field"),
        ({"year": "int"}, "kind 'int', expected one of text, number, date, texts"),
    ],
)
def test_declarations_are_checked(fields, message):
    with pytest.raises(ConfigError, match=message):
        parse('lang == "en"', fields)


def test_hostile_text_is_a_filter_or_a_usage_error_and_nothing_else():
    source = random.Random(5)
    clauses = ['lang == "a"', "year < 1", 'not tags has "b"', 'team in ["a", "b"]', "and", "or", "not", "(", ")"]
    parts = [*PIECES, *clauses * 30, "lang", "==", "in", "[", "has", "1"]
    read = 0
    for _ in range(CASES):
        expression = " ".join(source.choice(parts) for _ in range(source.randint(1, 9)))
        try:
            parse(expression, FIELDS)
        except UsageError:
            continue
        read += 1
    for _ in range(CASES):
        text = hostile_text(source)
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        assert parse(f'team == "{quoted}"', FIELDS) == Comparison(TEAM, "==", (text,))
    assert read > CASES / 50
