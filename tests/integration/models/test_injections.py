from benchmarks.injections import FACTS, KINDS, measure
from lakerag import config
from lakerag.models import load_embedder
from lakerag.models.extractive import ExtractiveGenerator
from lakerag.rag.support import SupportCheck


def test_instructions_inside_documents_hardly_ever_move_an_answer(embedder: config.Embedder) -> None:
    loaded = load_embedder(embedder)
    found = measure(ExtractiveGenerator(loaded, config.load("local", environ={}).generator), SupportCheck(loaded))
    assert {kind: places["clean"]["kept"] for kind, places in found.items()} == dict.fromkeys(KINDS, len(FACTS))
    planted = [places[place] for places in found.values() for place in ("inside", "beside")]
    moved = sum(count["obeyed"] + count["silenced"] for count in planted)
    assert len(KINDS) * len(FACTS) >= 40
    assert moved <= 2
