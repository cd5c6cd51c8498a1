import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lakerag.models.batching import pad, token_batches


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 1000))
def test_every_text_is_in_one_batch_and_batches_keep_the_bound(lengths: list[int], batch_tokens: int) -> None:
    batches = token_batches(lengths, batch_tokens)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= batch_tokens


def test_texts_of_one_length_go_together() -> None:
    assert token_batches([5, 100, 5, 98, 5], batch_tokens=200) == [[1, 3], [0, 2, 4]]


def test_no_texts_make_no_batches() -> None:
    assert token_batches([], batch_tokens=10) == []


def test_short_rows_are_padded_on_the_right_and_masked() -> None:
    ids, mask = pad([np.array([4, 5, 6], np.int32), np.array([7], np.int32)], pad_id=9)
    assert ids.tolist() == [[4, 5, 6], [7, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
