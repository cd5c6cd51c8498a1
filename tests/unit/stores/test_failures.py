import grpc
import pytest

from lakerag.errors import CollectionMissingError, SchemaError, StoreUnavailableError
from lakerag.stores.milvus.failures import failure


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (100, "collection not found[database=default][collection=docs]", CollectionMissingError),
        (1600, "alias not found", CollectionMissingError),
        (2, "Fail connecting to server on 127.0.0.1:1", StoreUnavailableError),
        (8, "request is rejected by grpc RateLimiter middleware", StoreUnavailableError),
        (103, "collection not fully loaded", StoreUnavailableError),
        (503, "channel not available[channel=docs_v0]", StoreUnavailableError),
        (1, "[upsert] Retry timeout: 30s", StoreUnavailableError),
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", StoreUnavailableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", StoreUnavailableError),
        (65535, "cannot parse expression", SchemaError),
        (1100, "the length (600) of 0th string exceeds max length (512)", SchemaError),
        (grpc.StatusCode.UNAUTHENTICATED, "auth check failure", SchemaError),
    ],
)
def test_only_what_may_pass_is_worth_another_try(code, message, kind):
    error = failure(code, message, uri="http://store:19530", name="docs")
    assert type(error) is kind
    assert "http://store:19530" in str(error)


def test_a_password_in_the_address_is_not_repeated():
    for code in (100, 2, 65535):
        error = failure(
            code, "uri: http://root:s3cret@store:19530 fails", uri="http://root:s3cret@store:19530", name="docs"
        )
        assert "at http://***@store:19530" in str(error)
        assert "s3cret" not in f"{error} {error.details}"
