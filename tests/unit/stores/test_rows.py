# ruff: noqa: RUF001 - look-alike characters are what is tested
import numpy as np
import pytest

from lakerag.errors import DimensionMismatchError, RowRefusedError
from lakerag.stores import rows
from tests.stores_fixtures import row

REFUSED = [
    ({"embedding": [1, 0, 0, float("nan")]}, "embedding: NaN or infinite"),
    ({"embedding": [1e39, 0, 0, 0]}, "embedding: NaN or infinite"),
    ({"embedding": [0, 0, 0, 0]}, "embedding: all zeros"),
    ({"embedding": ["a", 0, 0, 0]}, "embedding: expected a list of numbers"),
    ({"embedding": None}, "embedding: expected 4 numbers"),
    ({"text": "ü" * 32_768}, "text: 65536 bytes of UTF-8, at most 65535"),
    ({"text": None}, "text: expected text, found NoneType"),
    ({"text": "\ud800"}, "text: a lone surrogate"),
    ({"path": "p" * 8193}, "path: 8193 bytes"),
    ({"tenant": "ü" * 257}, "tenant: 514 bytes of UTF-8, at most 512"),
    ({"acl_groups": "staff"}, "acl_groups: expected a list of texts, found str"),
    ({"acl_groups": ["a", 1]}, "acl_groups: expected text, found int"),
    ({"acl_groups": ["g"] * 1025}, "acl_groups: 1025 elements, at most 1024"),
    ({"start": 2**63}, "start: does not fit 64 bits"),
    ({"start": True}, "start: expected an integer, found bool"),
    ({"metadata": [("a", "b")]}, "metadata: expected a map"),
    ({"metadata": {"a": 1}}, "metadata: expected text, found int"),
    ({"metadata": {"a": "x" * 40_000}}, "metadata: .* bytes as JSON, at most 65535"),
    ({"chunk_id": ""}, "chunk_id: expected letters"),
    ({"chunk_id": 'a"'}, "chunk_id: expected letters"),
    ({"chunk_id": "a" * 65}, "chunk_id: 65 bytes"),
    ({"extra": 1}, "unknown fields: extra"),
]


@pytest.mark.parametrize(("bad", "reason"), REFUSED)
def test_a_row_that_cannot_be_stored_is_refused_with_its_reason(bad, reason):
    with pytest.raises(RowRefusedError, match=reason) as caught:
        rows.check([row("good"), {**row("bad"), **bad}], 4)
    assert list(caught.value.details["refused"]) == [1]


def test_a_missing_field_is_named():
    incomplete = row("a")
    del incomplete["tenant"]
    assert rows.refusals([incomplete], 4) == {0: "missing fields: tenant"}


def test_the_second_of_two_equal_keys_is_refused():
    assert rows.refusals([row("a"), row("b"), row("a")], 4) == {2: "chunk_id: the key stands twice in the batch"}


def test_a_vector_of_another_length_is_a_dimension_mismatch():
    with pytest.raises(DimensionMismatchError, match="vectors of 4 numbers, row 'a' has 3"):
        rows.check([row("a", embedding=[1, 0, 0])], 4)


def test_arrays_as_spark_hands_them_over_are_fine():
    arrow = row(
        "a",
        embedding=np.array([1, 0, 0, 0], dtype=np.float64),
        acl_groups=np.array(["x"], dtype=object),
        start=np.int32(3),
    )
    rows.check([arrow], 4)
    held = rows.encode(arrow)
    assert (held["acl_groups"], held["start"], held["embedding"].dtype) == (["x"], 3, np.float32)


def test_metadata_is_held_in_every_form_that_a_filter_compares():
    metadata = {"year": "2024", "size": "-2.5e1", "tags": '["a, b", "c"]', "people": "Ada , Grace,", "odd": "[1]"}
    assert rows.typed(metadata) == {
        "text": metadata,
        "number": {"year": 2024, "size": -25},
        "texts": {
            "year": ["2024"],
            "size": ["-2.5e1"],
            "tags": ["a, b", "c"],
            "people": ["Ada", "Grace"],
            "odd": ["[1]"],
        },
    }
    assert rows.untyped(rows.typed(metadata)) == metadata


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "1_000", " 1", "0x10", "١", "1.", "--1", '["\\ud800"]'])
def test_what_only_looks_like_a_number_or_list_stays_text(text):
    typed = rows.typed({"a": text})
    assert typed["number"] == {}
    assert typed["texts"]["a"] == [text.strip()]


def test_deeply_nested_lists_stay_text():
    assert rows.typed({"a": "[" * 100_000})["texts"]["a"] == ["[" * 100_000]


@pytest.mark.parametrize(
    ("text", "max_bytes", "shortened"),
    [("abc", 3, "abc"), ("abcdef", 5, "ab…"), ("üüüü", 7, "üü…"), ("a😀b", 5, "a…"), ("", 3, "")],
)
def test_display_texts_are_cut_at_a_character(text, max_bytes, shortened):
    assert rows.shorten(text, max_bytes) == shortened


def test_batches_keep_the_order_and_their_size():
    texts = ["x" * 1000, "x" * 1000, "x" * 1000, "y" * 9000, "z"]
    batches = list(rows.batches([row(f"k{n}", text=text) for n, text in enumerate(texts)], 3000))
    assert [[held["chunk_id"] for held in batch] for batch in batches] == [["k0", "k1"], ["k2"], ["k3"], ["k4"]]
    assert list(rows.batches([], 3000)) == []
