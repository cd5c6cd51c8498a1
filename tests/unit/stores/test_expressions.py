"""Quoting, tried on hostile texts with a reader of its own and with Milvus Lite's parser."""

import os
import random
import re

import pytest

from lakerag.errors import UsageError
from lakerag.records import Access
from lakerag.stores.filters import parse
from lakerag.stores.milvus.expressions import allowed, any_key, quote, tokens, visible
from tests.hostile import hostile_text

CASES = int(os.environ.get("LAKERAG_HOSTILE_CASES", "100000"))
"""Hostile askers that are rendered and read back."""

FIELDS = {"year": "number", "tags": "texts", "team": "text"}
LITERAL = re.compile(r'"((?:[^"\\\n\r]|\\["\\nrt])*)"')
ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t"}


def read_back(expression: str) -> tuple[str, list[str]]:
    """The expression with its literals as `?`, and the literals' values; written apart from `quote`."""
    values = [re.sub(r"\\.", lambda escape: ESCAPES[escape[0]], found[1]) for found in LITERAL.finditer(expression)]
    return LITERAL.sub("?", expression), values


def test_no_hostile_asker_changes_the_shape_of_the_rights():
    source = random.Random(20)
    for _ in range(CASES):
        tenant, groups = hostile_text(source), [hostile_text(source) for _ in range(source.randint(0, 3))]
        shape, values = read_back(visible(Access(tenant, tuple(groups))))
        tenants, wanted = list(dict.fromkeys(["", tenant])), list(dict.fromkeys(["*", *groups]))
        assert values == tenants + wanted
        marks = ", ".join("?" * len(tenants)), ", ".join("?" * len(wanted))
        assert shape == f"(tenant in [{marks[0]}] and array_contains_any(acl_groups, [{marks[1]}]))"


def test_tokens_hold_no_character_that_means_something_in_a_pattern():
    source = random.Random(22)
    for _ in range(CASES // 10):
        groups = [hostile_text(source) for _ in range(source.randint(0, 3))]
        assert re.fullmatch(r"(\|[0-9a-f]{32}\|)*", tokens(groups))
        asked = visible(Access("", tuple(groups)), by_token=True)
        assert re.fullmatch(r'\(tenant in \[""\] and \((acl_tokens like "%\|[0-9a-f]{32}\|%"( or )?)+\)\)', asked)
        assert all(tokens([group]) in asked for group in ["*", *groups])


def test_milvus_lite_reads_back_exactly_the_hostile_texts():
    syntax = pytest.importorskip("milvus_lite.search.filter", reason="milvus-lite is not installed")
    source = random.Random(21)
    for _ in range(CASES // 10):
        text = hostile_text(source)
        read = syntax.parse_expr(f"tenant in [{quote(text)}]")
        assert [element.value for element in read.values.elements] == [text]


def test_rights_stand_before_and_around_every_condition():
    condition = parse('lang == "en" or year >= 2024', FIELDS)
    assert allowed(Access("acme", ("a",)), condition) == (
        '(tenant in ["", "acme"] and array_contains_any(acl_groups, ["*", "a"]))'
        ' and ((lang == "en") or (metadata["number"]["year"] >= 2024))'
    )


@pytest.mark.parametrize(
    ("expression", "rendered"),
    [
        ('lang == "a\\"b"', r'lang == "a\"b"'),
        ('lang not in ["a", "b"]', 'lang != "a" and lang != "b"'),
        ('team in ["a", "b"]', 'metadata["text"]["team"] == "a" or metadata["text"]["team"] == "b"'),
        (
            "not year < -1.5",
            '(not (exists metadata["number"]["year"])) or (metadata["number"]["year"] >= -1.5)',
        ),
        ('tags has "a"', 'json_contains(metadata["texts"]["tags"], "a")'),
        ('not tags has "a"', 'not json_contains(metadata["texts"]["tags"], "a")'),
    ],
)
def test_conditions_are_rendered_within_parentheses(expression, rendered):
    assert allowed(Access(), parse(expression, FIELDS)).endswith(f" and ({rendered})")


def test_what_is_no_text_is_refused():
    for access in (Access("\udc00"), Access("", ("\ud800",)), Access("", "staff"), Access(None), Access("", (None,))):
        for by_token in (False, True):
            with pytest.raises(UsageError):
                visible(access, by_token=by_token)


def test_keys_are_quoted_too():
    assert any_key(["a", 'b"']) == r'chunk_id in ["a", "b\""]'
