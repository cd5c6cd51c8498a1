from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, get_ident

import numpy as np
import pytest

from lakerag.errors import ModelError
from lakerag.models import onnx_encoder
from lakerag.models.base import EmbeddingSpace

SPACE = EmbeddingSpace(model="tiny", revision="0123456789ab", pooling="mean", normalised=True, dimension=16)
KEY = "tiny-0123456789ab-mean-unit-16-onnx-1"


def test_a_finished_export_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def export(folder: Path, graph: Path) -> None:
        calls.append(folder)
        graph.write_text("graph")

    monkeypatch.setattr(onnx_encoder, "_export", export)
    for _ in range(2):
        graph = onnx_encoder.exported(Path("models/tiny"), SPACE, str(tmp_path / "cache"))
        assert graph == tmp_path / "cache" / KEY / "model.onnx"
        assert graph.read_text() == "graph"
    assert calls == [Path("models/tiny")]


def test_two_exports_at_once_leave_one_whole_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = Barrier(2)

    def export(folder: Path, graph: Path) -> None:
        for name in ("model.onnx", "model.onnx.data"):
            (graph.parent / name).write_text(str(get_ident()))
        both.wait(timeout=10)

    monkeypatch.setattr(onnx_encoder, "_export", export)
    with ThreadPoolExecutor(2) as pool:
        graphs = list(pool.map(lambda _: onnx_encoder.exported(Path("tiny"), SPACE, str(tmp_path)), range(2)))
    assert graphs[0] == graphs[1] == tmp_path / KEY / "model.onnx"
    assert graphs[0].read_text() == (tmp_path / KEY / "model.onnx.data").read_text()
    assert [path.name for path in tmp_path.iterdir()] == [KEY]


def test_a_failed_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def export(folder: Path, graph: Path) -> None:
        graph.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(onnx_encoder, "_export", export)
    with pytest.raises(ModelError, match="No space left on device"):
        onnx_encoder.exported(Path("tiny"), SPACE, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_differs_from_torch_is_refused() -> None:
    expected = np.ones((3, 16), np.float32)
    found = expected.copy()
    onnx_encoder._check(found, expected, 0.9999, "torch")
    found[1, 8:] = -1  # a row with padding
    with pytest.raises(ModelError, match=r"agree with torch \(cosine 0\.9999\), found 0\.0000"):
        onnx_encoder._check(found, expected, 0.9999, "torch")
