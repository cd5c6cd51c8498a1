from pathlib import Path

import pytest

from lakerag.config import Retrieval
from lakerag.errors import ModelError
from lakerag.models.base import Reranker
from lakerag.models.cross_encoder import BATCH, load_reranker
from tests.fakes.rag import passage
from tests.integration.models.tiny import save_cross_encoder, save_sentence_model

QUESTION = "which tables keep versions"
TEXTS = [f"{'the fox jumps over a dog ' * (n % 3)}delta rows {'of their version ' * (n % 5)}" for n in range(BATCH + 3)]


def load(folder: Path) -> Reranker:
    reranker = load_reranker(Retrieval(reranker=str(folder)))
    assert reranker is not None
    return reranker


def test_passages_come_in_the_order_of_the_reference_library_with_its_scores(tmp_path: Path) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    folder = save_cross_encoder(tmp_path / "cross")
    found = load(folder).rerank(QUESTION, [passage(text, chunk_id=str(n)) for n, text in enumerate(TEXTS)])
    reference = CrossEncoder(str(folder), device="cpu", activation_fn=torch.nn.Identity())
    wanted = reference.predict([(QUESTION, text) for text in TEXTS], show_progress_bar=False)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert {p.chunk_id: p.score for p in found} == pytest.approx({str(n): s for n, s in enumerate(wanted)}, abs=1e-5)
    assert len({round(p.score, 4) for p in found}) > 3


def test_nothing_to_rank_is_ranked_as_nothing(tmp_path: Path) -> None:
    assert load(save_cross_encoder(tmp_path / "cross")).rerank(QUESTION, []) == []


def test_no_reranker_is_the_default() -> None:
    assert load_reranker(Retrieval()) is None


def test_a_folder_without_weights_and_an_embedder_are_refused(tmp_path: Path) -> None:
    empty = save_cross_encoder(tmp_path / "empty")
    (empty / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"Expected a cross-encoder in .*empty, found a model that does not load"):
        load(empty)
    with pytest.raises(ModelError, match="found weights without classifier"):
        load(save_sentence_model(tmp_path, "mean", normalise=True))
