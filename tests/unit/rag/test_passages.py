from dataclasses import replace

import pytest

from lakerag.config import Retrieval
from lakerag.rag.cite import cite
from lakerag.rag.joining import by_document, chunk_at, join_all, windows
from lakerag.rag.passages import collapse, diversify
from lakerag.rag.support import SupportCheck
from lakerag.records import Draft, Passage, Prompt, Sentence
from lakerag.stores.base import Window
from tests.fakes.rag import WordEmbedder, passage


def test_repeats_are_collapsed_onto_the_best_of_them() -> None:
    found = [passage("Delta keeps\nversions.", "a"), passage("Lakes.", "b"), passage("delta  keeps versions.", "c")]
    assert [p.chunk_id for p in collapse(found)] == ["a", "b"]


def test_without_a_weight_the_order_is_that_of_the_scores() -> None:
    found = [passage("same words here", "a", score=3), passage("same words here too", "b", score=2)]
    assert [p.chunk_id for p in diversify(found, 1, 0.0)] == ["a"]


def test_diversity_prefers_what_says_something_else() -> None:
    found = [
        passage("delta tables keep versions", "a", score=1.0),
        passage("delta tables keep versions forever", "b", score=0.9),
        passage("milvus collections have aliases", "c", score=0.6),
        passage("nothing", "d", score=0.0),
    ]
    assert [p.chunk_id for p in diversify(found, 2, 0.5)] == ["a", "c"]
    assert [p.chunk_id for p in diversify(found, 2, 0.1)] == ["a", "b"]


def chunk(name: str, start: int, text: str, heading: str = "H") -> Passage:
    return replace(passage(text, name, start), doc_id="doc", heading=heading)


CHUNKS = [chunk("one", 0, "First."), chunk("two", 7, "Second."), chunk("three", 16, "Third."), chunk("far", 99, "Far.")]


@pytest.mark.parametrize(
    ("join", "chars", "text", "start"),
    [
        ("neighbours", 50, "First. Second.\n\nThird.", 0),
        ("neighbours", 6, "Second.", 7),
        ("section", 1000, "First. Second.\n\nThird.", 0),
    ],
)
def test_a_passage_grows_by_what_stands_beside_it(join: str, chars: int, text: str, start: int) -> None:
    limits = Retrieval(join=join, join_chars=chars)  # type: ignore[arg-type]
    [grown] = join_all([CHUNKS[1]], by_document(CHUNKS), limits)
    assert (grown.text, grown.start, grown.end, grown.chunk_id) == (text, start, start + len(text), "two")


def test_a_section_reaches_further_than_the_neighbours() -> None:
    beside = by_document(CHUNKS)
    assert join_all([CHUNKS[0]], beside, Retrieval(join="neighbours"))[0].text == "First. Second."
    assert join_all([CHUNKS[0]], beside, Retrieval(join="section"))[0].text == "First. Second.\n\nThird."


def test_a_passage_does_not_grow_over_a_heading() -> None:
    beside = by_document([CHUNKS[0], chunk("two", 7, "Second.", heading="Other")])
    assert join_all([CHUNKS[0]], beside, Retrieval(join="section")) == [CHUNKS[0]]


def test_overlapping_chunks_are_laid_over_one_another() -> None:
    overlapping = [chunk("one", 0, "One two three."), chunk("two", 8, "three. Four.")]
    assert join_all([overlapping[0]], by_document(overlapping), Retrieval(join="neighbours"))[0].text == (
        "One two three. Four."
    )


def test_a_passage_that_a_better_one_took_in_is_left_out() -> None:
    found = join_all([CHUNKS[1], CHUNKS[0], CHUNKS[3]], by_document(CHUNKS), Retrieval(join="neighbours"))
    assert [p.chunk_id for p in found] == ["two", "far"]


def test_windows_of_one_document_that_meet_are_one() -> None:
    assert windows([CHUNKS[2], CHUNKS[0], CHUNKS[3]], 10) == [Window("doc", 0, 32), Window("doc", 89, 113)]


def test_a_quotation_from_a_neighbour_cites_the_neighbour() -> None:
    [grown] = join_all([CHUNKS[1]], by_document(CHUNKS), Retrieval(join="neighbours"))
    assert [chunk_at(grown, place).chunk_id for place in (0, 7, 16, 15)] == ["one", "two", "three", "two"]
    prompt = Prompt("third", (grown,), "", 0, 0)
    draft = Draft((Sentence("Third.", (0,)),), 0.9, abstained=False)
    [cited] = cite([draft], [prompt], SupportCheck(WordEmbedder()))
    assert [(c.chunk_id, c.start, c.end, c.excerpt) for c in cited.citations] == [("three", 16, 22, "Third.")]
