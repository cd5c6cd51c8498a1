"""The light runtime: onnxruntime over an export that torch makes once a model, in fp32 or quantised to int8."""

import logging
import warnings
from dataclasses import replace
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
MIN_INT8_COSINE = 0.95
"""Of the quantised graph against its own fp32; far below it the weights suit no 8 bits."""


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
    """Returns the graph of a model from the cache, exporting and quantising it first where it is not there.

    Args:
        folder: The sentence-transformers folder.
        space: The cache's key, with the precision; the graph contains the pooling too.
        cache: Folder of all exports; None for `~/.cache/lakerag`.

    Raises:
        ModelError: The cache cannot be written, the export differs from torch, or int8 from the export.
    """

    def make(target: Path) -> None:
        if space.precision:
            _quantise(exported(folder, replace(space, precision=""), cache), target / GRAPH)
        else:
            _export(folder, target / GRAPH)

    return cached_folder(cache, f"{space.name.replace('/', '-')}-{EXPORT}", make) / GRAPH


def _quantise(exact: Path, graph: Path) -> None:
    """Turns the weights of the matrix products into int8, with a scale a channel.

    Activations are quantised at run time. Weights keep to 7 bits: two products of 8 overflow the 16-bit sums of
    processors without VNNI.
    """
    from onnxruntime.quantization import quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a pre-processing that changes nothing here
    try:
        quantize_dynamic(exact, graph, op_types_to_quantize=["MatMul"], per_channel=True, reduce_range=True)
    finally:
        root.setLevel(level)
    found, expected = (OnnxEncoder(path, threads=1)(*_padded_sample()) for path in (graph, exact))
    _check(found, expected, MIN_INT8_COSINE, "the fp32 export")


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
    _check(OnnxEncoder(graph, threads=1)(*_padded_sample()), expected, MIN_COSINE, "torch")


def _padded_sample() -> tuple[Tokens, Tokens]:
    """Three rows of 17, 9 and 4 tokens: sizes that no model has, so that none is baked in."""
    mask = (np.arange(17) < np.array([[17], [9], [4]])).astype(np.int64)
    return np.arange(3 * 17, dtype=np.int64).reshape(3, 17) % 29 + 5, mask


def _check(found: Vectors, expected: Vectors, least: float, reference: str) -> None:
    """Compares vectors with those of the graph that theirs was made of.

    Raises:
        ModelError: A vector differs.
    """
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = float(((found * expected).sum(axis=1) / norms).min())
    if not cosine >= least:
        raise ModelError(
            f"Expected the converted model to agree with {reference} (cosine {least}), found {cosine:.4f}. "
            "Choose another embedder.runtime for this model.",
            cosine=cosine,
        )
