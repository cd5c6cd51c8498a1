import pytest

from lakerag.errors import (
    CollectionMissingError,
    DimensionMismatchError,
    MixedSpacesError,
    StoreUnavailableError,
    UsageError,
)
from lakerag.rag.retrieve import REFRESH_S, Retriever
from lakerag.rag.steps import Steps
from lakerag.records import Access, Question
from lakerag.stores.base import Collection
from lakerag.stores.generations import switch
from tests.fakes.rag import MemoryStore, WordEmbedder, passage


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture
def store(embedder: WordEmbedder) -> MemoryStore:
    store = MemoryStore(embedder)
    add_collection(store, "blue", embedder)
    store.point("docs", "blue")
    store.put("blue", passage("delta tables keep versions", "delta"))
    store.put("blue", passage("salaries of the board", "board"), Access(tenant="acme", groups=("hr",)))
    return store


def add_collection(store: MemoryStore, name: str, embedder: WordEmbedder) -> None:
    store.create(Collection(name, embedder.space.name, embedder.space.dimension))


def found_ids(retriever: Retriever, question: Question) -> list[str]:
    return [found.chunk_id for found in retriever.retrieve([question], Steps())[0]]


def test_questions_share_one_embedding_call_and_one_search(embedder: WordEmbedder, store: MemoryStore) -> None:
    retriever = Retriever(embedder, store, "docs", {})
    steps = Steps()
    found = retriever.retrieve([Question("delta versions", top_k=1), Question("board", top_k=1)], steps)
    assert embedder.calls == [["delta versions", "board"]]
    assert [(name, [query.text for query in queries]) for name, queries in store.searches] == [
        ("blue", ["delta versions", "board"])
    ]
    assert [[p.chunk_id for p in passages] for passages in found] == [["delta"], ["delta"]]
    assert [(step.name, step.facts) for step in steps.taken] == [
        ("embed", {"questions": 2}),
        ("search", {"queries": 2}),
    ]
    assert min(steps.timings("embed", "search").values()) > 0


def test_rights_of_the_question_reach_the_store(embedder: WordEmbedder, store: MemoryStore) -> None:
    retriever = Retriever(embedder, store, "docs", {})
    assert found_ids(retriever, Question("salaries board", Access("acme", ("hr",)), top_k=1)) == ["board"]
    assert found_ids(retriever, Question("salaries board", Access("acme", ("it",)))) == ["delta"]
    assert found_ids(retriever, Question("salaries board")) == ["delta"]


def test_filter_reaches_the_store_parsed(embedder: WordEmbedder, store: MemoryStore) -> None:
    retriever = Retriever(embedder, store, "docs", {"year": "number"})
    retriever.retrieve([Question("delta", filter="year >= 2024"), Question("delta", filter=" ")], Steps())
    conditions = [query.condition for query in store.searches[0][1]]
    assert (conditions[0].field.name, conditions[0].op, conditions[0].values) == ("year", ">=", (2024,))  # type: ignore[union-attr]
    assert conditions[1] is None


def test_filter_over_an_undeclared_field_is_refused(embedder: WordEmbedder, store: MemoryStore) -> None:
    with pytest.raises(UsageError, match="undeclared field 'year'"):
        Retriever(embedder, store, "docs", {}).retrieve([Question("delta", filter="year >= 2024")], Steps())


def test_keyword_question_is_not_embedded(embedder: WordEmbedder, store: MemoryStore) -> None:
    long = " ".join(["delta"] * 13)
    Retriever(embedder, store, "docs", {}).retrieve([Question(long, mode="keyword"), Question("delta")], Steps())
    assert embedder.calls == [["delta"]]


def test_question_over_the_embedders_limit_is_refused_not_cut(embedder: WordEmbedder, store: MemoryStore) -> None:
    with pytest.raises(UsageError, match=r"at most 12 word pieces.*found 13"):
        Retriever(embedder, store, "docs", {}).retrieve([Question(" ".join(["delta"] * 13))], Steps())


def test_missing_index_says_what_to_run(embedder: WordEmbedder) -> None:
    with pytest.raises(CollectionMissingError, match=r"alias 'docs'. Run `lakerag run`"):
        Retriever(embedder, MemoryStore(embedder), "docs", {})


def test_index_of_another_space_is_refused_at_load(store: MemoryStore) -> None:
    with pytest.raises(MixedSpacesError, match="Expected the embedding space words/111111111111"):
        Retriever(WordEmbedder("111111111111"), store, "docs", {})


def test_index_of_another_dimension_is_refused_at_load(store: MemoryStore) -> None:
    with pytest.raises(DimensionMismatchError, match=r"Expected vectors of 32 numbers.*found 64"):
        Retriever(WordEmbedder(dimension=32), store, "docs", {})


def test_moved_alias_is_followed_after_the_refresh_interval(embedder: WordEmbedder, store: MemoryStore) -> None:
    clock = Clock()
    retriever = Retriever(embedder, store, "docs", {}, clock)
    add_collection(store, "green", embedder)
    store.put("green", passage("delta is green", "green"))
    store.point("docs", "green")
    clock.now = REFRESH_S - 0.01
    assert found_ids(retriever, Question("delta", top_k=1)) == ["delta"]
    clock.now = REFRESH_S
    assert found_ids(retriever, Question("delta", top_k=1)) == ["green"]


def test_alias_moved_to_another_space_is_refused_and_never_searched(embedder: WordEmbedder, store: MemoryStore) -> None:
    clock = Clock()
    retriever = Retriever(embedder, store, "docs", {}, clock)
    add_collection(store, "green", WordEmbedder("111111111111"))
    store.point("docs", "green")
    store.drop("blue")
    clock.now = REFRESH_S
    for _ in range(2):
        with pytest.raises(MixedSpacesError):
            retriever.retrieve([Question("delta")], Steps())
    assert store.searches == []


def test_after_a_move_to_another_space_the_kept_collection_of_its_own_answers(
    embedder: WordEmbedder, store: MemoryStore
) -> None:
    clock = Clock()
    retriever = Retriever(embedder, store, "docs", {}, clock)
    add_collection(store, "green", WordEmbedder("111111111111"))
    switch(store, "docs", store.resolve("green"))
    clock.now = REFRESH_S
    assert found_ids(retriever, Question("delta")) == ["delta"]
    with pytest.raises(MixedSpacesError):
        Retriever(embedder, store, "docs", {})
    store.drop("blue")
    with pytest.raises(MixedSpacesError):
        retriever.retrieve([Question("delta")], Steps())


def test_collection_dropped_after_the_alias_moved_is_left_at_once(embedder: WordEmbedder, store: MemoryStore) -> None:
    retriever = Retriever(embedder, store, "docs", {}, Clock())
    add_collection(store, "green", embedder)
    store.put("green", passage("delta is green", "green"))
    store.point("docs", "green")
    store.drop("blue")
    assert found_ids(retriever, Question("delta")) == ["green"]


def test_store_that_is_down_is_said_to_be(embedder: WordEmbedder, store: MemoryStore) -> None:
    retriever = Retriever(embedder, store, "docs", {})
    store.down = True
    with pytest.raises(StoreUnavailableError):
        retriever.retrieve([Question("delta")], Steps())


def test_empty_collection_is_told_from_hidden_rows(embedder: WordEmbedder, store: MemoryStore) -> None:
    assert not Retriever(embedder, store, "docs", {}).is_empty()
    add_collection(store, "new", embedder)
    assert Retriever(embedder, store, "new", {}).is_empty()
