"""The light runtime: onnxruntime over an export that torch makes once a model."""

import logging
import warnings
from pathlib import Path

import numpy as np

from lakerag.errors import ModelError
from lakerag.models.base import EmbeddingSpace
from lakerag.models.batching import Tokens
from lakerag.models.cache import cached_folder
from lakerag.records import Vectors

EXPORT = "onnx-1"
"""Part of every cache key; raise the number when the exported graph changes."""

GRAPH = "model.onnx"
INPUTS = ("input_ids", "attention_mask")
OUTPUT = "sentence_vectors"
MIN_COSINE = 0.9999
"""Against torch on a padded batch; a graph that bakes padding in falls below 0.96."""


class OnnxEncoder:
    """Runs an exported graph on the CPU; pooling and normalisation are part of it.

    Args:
        graph: A file that `exported` made.
        threads: Threads of one run; 0 for one a core.

    Raises:
        ModelError: onnxruntime cannot read the file.
    """

    def __init__(self, graph: Path, threads: int = 0) -> None:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as failures

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except (failures.Fail, failures.InvalidGraph, failures.InvalidProtobuf, failures.NoSuchFile) as error:
            raise ModelError(
                f"Expected an exported model in {graph}, found: {error}. Delete its folder to export anew.",
                path=str(graph),
            ) from error
        self.dimension = int(self._session.get_outputs()[0].shape[-1])

    def __call__(self, ids: Tokens, mask: Tokens) -> Vectors:
        vectors: Vectors = self._session.run([OUTPUT], dict(zip(INPUTS, (ids, mask), strict=True)))[0]
        return vectors


def exported(folder: Path, space: EmbeddingSpace, cache: str | None) -> Path:
    """Returns the graph of a model from the cache, exporting it first where it is not there.

    Args:
        folder: The sentence-transformers folder.
        space: The cache's key; the graph contains the pooling too.
        cache: Folder of all exports; None for `~/.cache/lakerag`.

    Raises:
        ModelError: The cache cannot be written, or the export differs from torch.
    """
    key = f"{space.name.replace('/', '-')}-{EXPORT}"
    return cached_folder(cache, key, lambda target: _export(folder, target / GRAPH)) / GRAPH


def _export(folder: Path, graph: Path) -> None:
    """Exports the whole model, pooling included, with dynamic rows and width."""
    import torch

    from lakerag.models.torch_encoder import load_sentence_transformer

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = load_sentence_transformer(folder, "cpu")

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            vectors: torch.Tensor = self.model(features)["sentence_embedding"]
            return vectors

    model = Graph().eval()
    ids, mask = _padded_sample()
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    # It tells of every operator of torchvision that it does without.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own names
        torch.onnx.export(
            model,
            (torch.from_numpy(ids), torch.from_numpy(mask)),
            graph,
            dynamo=True,
            dynamic_shapes=(dynamic, dynamic),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            verbose=False,
        )
        expected = model(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    _check(graph, expected)


def _padded_sample() -> tuple[Tokens, Tokens]:
    """Three rows of 17, 9 and 4 tokens: sizes that no model has, so that none is baked in."""
    mask = (np.arange(17) < np.array([[17], [9], [4]])).astype(np.int64)
    return np.arange(3 * 17, dtype=np.int64).reshape(3, 17) % 29 + 5, mask


def _check(graph: Path, expected: Vectors) -> None:
    """Compares the export with torch.

    Raises:
        ModelError: A vector differs.
    """
    found = OnnxEncoder(graph, threads=1)(*_padded_sample())
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = float(((found * expected).sum(axis=1) / norms).min())
    if not cosine >= MIN_COSINE:
        raise ModelError(
            f"Expected the exported model to agree with torch (cosine {MIN_COSINE}), found {cosine:.4f}. "
            "Set embedder.runtime to torch for this model.",
            cosine=cosine,
        )
