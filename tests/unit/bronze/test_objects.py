"""Which URIs of object stores are refused before anybody is asked."""

import pytest

from lakerag.bronze import objects
from lakerag.config import Source
from lakerag.errors import SourceError

ACCOUNT = "acme.dfs.core.windows.net"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """URIs that a store was asked for; none answers."""
    uris: list[str] = []

    def open_nothing(uri: str) -> None:
        uris.append(uri)
        raise OSError("nobody answers")

    monkeypatch.setattr(objects, "_opened", open_nothing)
    return uris


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIA:s3cret@docs/landing",
        f"abfss://docs:s3cret@{ACCOUNT}/landing",
        f"abfs://docs:s3/cret==@{ACCOUNT}/landing",
        f"abfss://:s3cret@{ACCOUNT}/docs/landing",
        f"abfss://docs%3As3cret@{ACCOUNT}/landing",
        "abfss://acme:s3cret@docs/landing",
        f"abfss://docs@{ACCOUNT}/landing?sv=2024&sig=s3cret",
        f"abfss://docs@{ACCOUNT}/landing?tenant_id=t&client_id=c&client_secret=s3cret",
    ],
)
def test_a_uri_that_holds_a_secret_is_refused_and_not_repeated(asked: list[str], uri: str) -> None:
    with pytest.raises(SourceError, match="user name or a key") as refused:
        objects.list_objects(Source(path=uri))
    assert asked == []
    assert "s3" not in str(refused.value)


@pytest.mark.parametrize(
    "uri",
    [
        f"abfss://docs@{ACCOUNT}/landing",
        f"abfs://$web@{ACCOUNT}/landing?credential_kind=environment",
        f"abfss://{ACCOUNT}/docs/landing",
        "s3://docs/ann@acme?region=eu-west-1",
        "hdfs://name:8020/users/ann@acme",
    ],
)
def test_a_uri_that_holds_none_is_asked_for(asked: list[str], uri: str) -> None:
    with pytest.raises(SourceError, match="nothing that can be listed"):
        objects.list_objects(Source(path=uri))
    assert asked == [uri]
