"""What workers do with one batch of changes."""

import pandas as pd
import pytest

from lakerag.errors import MixedSpacesError, RowRefusedError, SchemaError, StoreUnavailableError
from lakerag.stores import Collection, StoreAddress
from lakerag.sync import apply
from tests.fakes.strict_store import StrictStore
from tests.stores_fixtures import row

DOCS = Collection("docs_1", "words", 4)


@pytest.fixture
def store(monkeypatch):
    fake = StrictStore()
    fake.create(DOCS)
    monkeypatch.setattr(apply, "connect", lambda address: fake)
    monkeypatch.setattr(apply, "_LONGEST_PAUSE_S", 0)
    return fake


def changes(*rows):
    """Rows of (op, version, row)."""
    told = ({"embedding_space": DOCS.space, **held, "op": op, "last_version": n} for op, n, held in rows)
    return pd.DataFrame([{**row, "first_version": 1} for row in told])


def write(frame):
    """(op, rows, last_version, chunk_id, reason) of what was done."""
    written = apply._upsert_frames(iter([frame]), StoreAddress("nowhere"), DOCS)
    [done] = apply._delete_frames(written, StoreAddress("nowhere"), DOCS)
    columns = ["op", "rows", "last_version", "chunk_id", "reason"]
    return sorted(done[columns].itertuples(index=False, name=None))


def keys(store):
    return sorted(found["chunk_id"] for batch in store.scan("docs_1", ["chunk_id"]) for found in batch)


def test_new_rows_are_written_before_old_ones_are_removed(store):
    store.upsert("docs_1", [row("old")])
    frame = changes(("delete", 2, row("old")), ("upsert", 3, row("new")), ("same", 4, row("as is")))
    assert write(frame) == [("delete", 1, 2, None, None), ("same", 1, 4, None, None), ("upsert", 1, 3, None, None)]
    assert store.writes[1:] == [("upsert", "new"), ("delete", "old")]


def test_refused_rows_are_told_and_their_keys_removed_while_the_rest_is_written(store):
    store.upsert("docs_1", [row("bad", text="was good")])
    frame = changes(("upsert", 2, row("good")), ("upsert", 5, row("bad", text="x" * 65_536)))
    reason = "text: 65536 bytes of UTF-8, at most 65535"
    assert write(frame) == [("refuse", 1, 5, "bad", reason), ("upsert", 1, 2, None, None)]
    assert keys(store) == ["good"]


def test_so_many_refused_rows_that_gold_must_be_wrong_stop_the_sync_and_touch_nothing(store, monkeypatch):
    monkeypatch.setattr(apply, "MAX_REFUSED", 1)
    store.upsert("docs_1", [row("a"), row("b")])
    frame = changes(*(("upsert", 2, row(key, embedding=[1.0, 0.0])) for key in ("a", "b")), ("upsert", 2, row("c")))
    with pytest.raises(RowRefusedError, match="2 of 3 rows cannot be stored in docs_1"):
        write(frame)
    assert keys(store) == ["a", "b"]


def test_a_store_that_times_out_is_asked_again(store):
    store.fail_after(1)
    assert write(changes(("upsert", 2, row("a")), ("upsert", 2, row("b")))) == [("upsert", 2, 2, None, None)]
    assert keys(store) == ["a", "b"]
    store.crash()
    with pytest.raises(StoreUnavailableError):
        write(changes(("upsert", 3, row("c"))))


def test_a_store_that_does_not_answer_yet_is_connected_to_again(store, monkeypatch):
    answers = [StoreUnavailableError("starting"), StoreUnavailableError("starting"), store]

    def connect(address):
        if isinstance(answers[0], Exception):
            raise answers.pop(0)
        return answers[0]

    monkeypatch.setattr(apply, "connect", connect)
    assert write(changes(("upsert", 2, row("a")))) == [("upsert", 1, 2, None, None)]


def test_a_refusal_is_not_asked_again(store, monkeypatch):
    asked = []

    def refuse(name, rows):
        asked.append(name)
        raise SchemaError("no such field")

    monkeypatch.setattr(store, "upsert", refuse)
    with pytest.raises(SchemaError):
        write(changes(("upsert", 2, row("a"))))
    assert asked == ["docs_1"]


def test_vectors_of_another_embedding_space_are_refused_before_anything_is_written(store):
    store.upsert("docs_1", [row("gone")])
    foreign = {**row("foreign"), "embedding_space": "other"}
    with pytest.raises(MixedSpacesError, match="has vectors of other, the collection docs_1 holds vectors of words"):
        write(changes(("upsert", 2, row("own")), ("upsert", 2, foreign), ("delete", 2, row("gone"))))
    assert keys(store) == ["gone"]
    assert write(changes(("delete", 2, {**row("gone"), "embedding_space": None}))) == [("delete", 1, 2, None, None)]
