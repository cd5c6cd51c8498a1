import json

import pytest

from lakerag.config import Generator, Retrieval
from lakerag.errors import UsageError
from lakerag.rag.answer import MAX_NEW_TOKENS, RagPipeline, to_document
from lakerag.rag.prompt import PromptBuilder
from lakerag.rag.retrieve import Retriever
from lakerag.rag.support import SupportCheck
from lakerag.records import Access, Passage, Question, Sentence
from lakerag.stores.base import Collection
from tests.fakes.rag import PUBLIC, MemoryStore, ScriptedGenerator, WordEmbedder, passage

EMBEDDER = WordEmbedder()
DEFAULTS = Generator()
DELTA = passage("Delta keeps versions. They age.", "delta", start=10)
LAKE = passage("A lake holds water.", "lake")
QUOTE = Sentence("Delta keeps versions.", (0,))


def filled_store(*passages: Passage, access: Access = PUBLIC) -> MemoryStore:
    store = MemoryStore(EMBEDDER)
    store.create(Collection("docs", EMBEDDER.space.name, EMBEDDER.space.dimension))
    for found in passages:
        store.put("docs", found, access)
    return store


def pipeline(
    generator: ScriptedGenerator, store: MemoryStore | None = None, settings: Generator = DEFAULTS
) -> RagPipeline:
    store = filled_store(DELTA, LAKE) if store is None else store
    return RagPipeline(
        retriever=Retriever(EMBEDDER, store, "docs", {}),
        generator=generator,
        prompts=PromptBuilder(settings, generator.count_tokens, generator.max_prompt_tokens),
        support=SupportCheck(EMBEDDER),
        limits=Retrieval(max_top_k=5, max_question_chars=60),
        max_batch=2,
        model_version="lakerag/7",
    )


def test_answer_carries_its_citations_and_its_origin() -> None:
    found = pipeline(ScriptedGenerator(QUOTE)).answer([Question("what does delta keep", top_k=1)])[0]
    assert (found.question, found.answer) == ("what does delta keep", "Delta keeps versions. [1]")
    assert (found.abstained, found.reason, found.confidence) == (False, "", 0.9)
    assert [(c.n, c.path, c.excerpt, c.start, c.end) for c in found.citations] == [
        (1, "delta.md", "Delta keeps versions.", 10, 31)
    ]
    assert (found.generator, found.model_version) == ("scripted", "lakerag/7")
    assert (found.prompt_tokens, found.passages_dropped) == (14, 0)


def test_document_is_that_of_the_contract() -> None:
    found = pipeline(ScriptedGenerator(QUOTE)).answer([Question("what does delta keep", top_k=1)])[0]
    document = json.loads(json.dumps(to_document(found)))
    assert {"question", "reason", "prompt_tokens", "passages_dropped"} <= set(document)
    assert {key: document[key] for key in ("answer", "abstained", "confidence", "model_version", "generator")} == {
        "answer": "Delta keeps versions. [1]",
        "abstained": False,
        "confidence": 0.9,
        "model_version": "lakerag/7",
        "generator": "scripted",
    }
    score = document["citations"][0].pop("score")
    assert 0 < score <= 1
    assert document["citations"] == [
        {
            "n": 1,
            "chunk_id": "delta",
            "doc_id": "d-delta",
            "path": "delta.md",
            "title": "Title delta",
            "heading": "",
            "excerpt": "Delta keeps versions.",
            "start": 10,
            "end": 31,
            "page": 0,
            "alternates": [],
        }
    ]
    assert set(document["timings_ms"]) == {"embed", "search", "rerank", "generate", "total"}
    assert document["timings_ms"]["total"] >= document["timings_ms"]["embed"] > 0


def test_batch_keeps_the_order_of_its_questions() -> None:
    generator = ScriptedGenerator(Sentence("A lake holds water.", ()))
    found = pipeline(generator).answer([Question("delta versions", top_k=1), Question("lake water", top_k=1)])
    assert [(answer.question, answer.answer) for answer in found] == [
        ("delta versions", ""),
        ("lake water", "A lake holds water. [1]"),
    ]
    assert len(generator.max_new_tokens) == 1


def test_answer_without_support_becomes_an_abstention() -> None:
    found = pipeline(ScriptedGenerator(Sentence("The moon is cheese.", (0,)))).answer([Question("moon")])[0]
    assert (found.answer, found.abstained, found.confidence, found.citations) == ("", True, 0.0, ())
    assert found.reason == "no sentence of the draft is supported by the passages"


def test_empty_index_abstains_with_its_reason() -> None:
    found = pipeline(ScriptedGenerator(QUOTE), filled_store()).answer([Question("delta")])[0]
    assert (found.answer, found.abstained, found.confidence) == ("", True, 0.0)
    assert found.reason == "no indexed documents"


def test_hidden_documents_are_never_quoted() -> None:
    store = filled_store(DELTA, access=Access(groups=("hr",)))
    generator = ScriptedGenerator(QUOTE)
    found = pipeline(generator, store).answer([Question("delta", Access(groups=("it",)))])[0]
    assert (found.abstained, found.reason) == (True, "no document that the asker may see matches")
    assert [prompt.passages for prompt in generator.prompts] == [()]


def test_generator_that_no_passage_fits_abstains_with_its_reason() -> None:
    settings = Generator(prompt="{question} {passages}", passage="{text}" + " word" * 1000)
    found = pipeline(ScriptedGenerator(QUOTE), settings=settings).answer([Question("delta")])[0]
    assert (found.abstained, found.passages_dropped) == (True, 2)
    assert found.reason == "no passage fits the generator's token budget"


def test_reranker_orders_what_the_generator_reads() -> None:
    class Backwards:
        def rerank(self, question: str, passages: list[Passage]) -> list[Passage]:
            return passages[::-1]

    generator = ScriptedGenerator(QUOTE)
    plain = pipeline(generator)
    reranked = RagPipeline(
        plain.retriever, generator, plain.prompts, plain.support, plain.limits, 2, reranker=Backwards()
    )
    reranked.answer([Question("delta versions")])
    assert [p.chunk_id for p in generator.prompts[0].passages] == ["lake", "delta"]
    assert [p.chunk_id for p in reranked.search([Question("delta versions")])[0]] == ["lake", "delta"]


def test_search_returns_passages_best_first() -> None:
    found = pipeline(ScriptedGenerator(QUOTE)).search([Question("lake water"), Question("delta", top_k=1)])
    assert [[p.chunk_id for p in passages] for passages in found] == [["lake", "delta"], ["delta"]]


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ([], "Expected 1 to 2 questions at a time, found 0"),
        ([Question("a")] * 3, "Expected 1 to 2 questions at a time, found 3"),
        ([Question("a"), Question("")], "The question is empty"),
        ([Question("a" * 61)], "at most 60 characters, found 61"),
        ([Question("a", top_k=6)], "Expected top_k between 1 and 5, found 6"),
        ([Question("a", mode="magic")], "Expected a mode out of"),
    ],
)
def test_request_over_a_limit_is_refused_before_anything_is_asked(questions: list[Question], message: str) -> None:
    generator = ScriptedGenerator(QUOTE)
    refusing = pipeline(generator)
    with pytest.raises(UsageError, match=message):
        refusing.answer(questions)
    with pytest.raises(UsageError, match=message):
        refusing.search(questions)
    assert generator.prompts == []


def test_length_of_the_answer_reaches_the_generator() -> None:
    generator = ScriptedGenerator(QUOTE)
    pipeline(generator).answer([Question("delta")], max_new_tokens=17)
    assert generator.max_new_tokens == [17]


@pytest.mark.parametrize("length", [0, -1, MAX_NEW_TOKENS + 1])
def test_impossible_length_of_the_answer_is_refused(length: int) -> None:
    with pytest.raises(UsageError, match="Expected max_new_tokens between 1 and 1024"):
        pipeline(ScriptedGenerator(QUOTE)).answer([Question("delta")], max_new_tokens=length)
