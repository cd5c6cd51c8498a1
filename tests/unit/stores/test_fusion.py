import pytest

from lakerag.stores.milvus.fusion import fuse, standardise


def test_a_hit_that_stands_out_in_one_part_comes_before_one_that_is_a_little_better_in_the_other() -> None:
    parts = [{"a": 0.9, "b": 0.52, "c": 0.5, "d": 0.5}, {"b": 5.0, "c": 4.9, "a": 4.8, "d": 0.0}]
    assert [key for key, _ in fuse(parts, 4, 2)] == ["a", "b"]  # by their ranks b would be first


def test_what_keyword_search_did_not_find_has_no_word_in_common() -> None:
    [(first, _), *_] = fuse([{"a": 0.5, "b": 0.5, "c": 0.5}, {"c": 0.1}], 10, 3)
    assert first == "c"


def test_what_was_cut_off_counts_as_the_worst_that_was_brought() -> None:
    assert dict(fuse([{"a": 2.0, "b": 1.0}, {"a": 7.0, "c": 7.0}], 2, 3))["b"] == pytest.approx(-0.3535, abs=1e-3)


def test_equal_scores_have_no_deviation() -> None:
    assert standardise([2.0, 2.0]) == [0.0, 0.0]
    assert fuse([{}, {}], 5, 5) == []
