"""What a failed stream's message means."""

import pytest

from lakerag.errors import PositionLostError, RowRefusedError, StoreUnavailableError
from lakerag.sync.feed import failure


@pytest.mark.parametrize(
    "condition",
    ["DELTA_MISSING_CHANGE_DATA", "FAILED_READ_FILE.FILE_NOT_EXIST", "DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE"],
)
def test_a_feed_that_cannot_be_read_on_is_a_lost_position(condition):
    error = failure(f"[STREAM_FAILED] Query terminated with exception: [{condition}] Error getting change data")
    assert isinstance(error, PositionLostError)
    assert error.details["condition"] == condition


def test_an_error_of_a_worker_comes_back_as_itself():
    text = (
        "Traceback ...\nlakerag.errors.RowRefusedError: first\nlakerag.errors.StoreUnavailableError: gone (14)\n at x"
    )
    error = failure(f"[STREAM_FAILED] {text}")
    assert type(error) is StoreUnavailableError
    assert str(error) == "gone (14)"
    assert type(failure("lakerag.errors.RowRefusedError: bad")) is RowRefusedError


def test_anything_else_means_nothing():
    assert failure("[STREAM_FAILED] Query terminated with exception: [OUT_OF_MEMORY] no more") is None
