import pickle

import pytest

from lakerag.config import Store
from lakerag.errors import ConfigError
from lakerag.stores import StoreAddress, open_address


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Store(kind="milvus"), r"set store\.uri"),
        (Store(kind="milvus-lite", uri="http://localhost:1"), r"set store\.path"),
    ],
)
def test_settings_that_do_not_say_where_the_store_is_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message), open_address(settings):
        pass


def test_a_secret_that_is_not_there_shows_before_anything_is_connected(monkeypatch):
    monkeypatch.delenv("STORE_TOKEN", raising=False)
    settings = Store(uri="https://milvus.example:19530", token="env:STORE_TOKEN")
    with pytest.raises(ConfigError, match="Export STORE_TOKEN"), open_address(settings):
        pass


def test_an_address_travels_to_workers_with_the_reference_and_not_the_secret(monkeypatch):
    monkeypatch.setenv("STORE_TOKEN", "top-secret")
    settings = Store(uri="https://milvus.example:19530", token="env:STORE_TOKEN", timeout_s=7, consistency="Session")
    with open_address(settings, batch_bytes=1000) as address:
        sent = pickle.dumps(address)
    assert b"top-secret" not in sent
    assert pickle.loads(sent) == StoreAddress(
        "https://milvus.example:19530", "env:STORE_TOKEN", 7, "Session", batch_bytes=1000
    )
