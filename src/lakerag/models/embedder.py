"""The sentence-transformers embedder: tokenise once, batch by tokens, run on the configured runtime."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from lakerag import config
from lakerag.errors import ModelError, RowRefusedError
from lakerag.models.base import Embedder, EmbeddingSpace
from lakerag.models.batching import Tokens, pad, token_batches
from lakerag.models.device import pick_device, refuse_gpu
from lakerag.models.locate import locate, revision
from lakerag.models.sentence_model import read_sentence_model
from lakerag.models.tokenizer import ModelTokenizer
from lakerag.records import Vectors

Encoder = Callable[[Tokens, Tokens], Vectors]
"""A runtime: token ids and mask, (n, width) int64 each, to (n, dimension) float32."""

REVISION_DIGITS = 12
CPU_BATCH_TOKENS, GPU_BATCH_TOKENS = 1024, 131_072
ALONE = 1
"""Tokens a batch that put every text into a batch of its own."""


class SentenceEmbedder:
    """Fulfils the `Embedder` port over any runtime.

    Args:
        space: What the vectors are.
        tokenizer: The model's own.
        encoder: Runs the model, pooling and normalisation included.
        pad_id: Token id that fills short rows.
        batch_tokens: Tokens a batch, padding included.
    """

    def __init__(
        self, space: EmbeddingSpace, tokenizer: ModelTokenizer, encoder: Encoder, *, pad_id: int, batch_tokens: int
    ) -> None:
        self.space = space
        self.tokenizer = tokenizer
        self._encoder = encoder
        self._pad_id = pad_id
        self._batch_tokens = batch_tokens

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See the port."""
        rows = self.tokenizer.encode(texts)
        lengths = [len(row) for row in rows]
        self._refuse_long(lengths)
        vectors = np.empty((len(rows), self.space.dimension), dtype=np.float32)
        for batch in token_batches(lengths, self._batch_tokens):
            vectors[batch] = self._encoder(*pad([rows[index] for index in batch], self._pad_id))
        return vectors

    def _refuse_long(self, lengths: Sequence[int]) -> None:
        limit = self.tokenizer.max_tokens
        fixed = self.tokenizer.fixed_tokens
        long = {index: length - fixed for index, length in enumerate(lengths) if length - fixed > limit}
        if long:
            index, tokens = next(iter(long.items()))
            raise RowRefusedError(
                f"Expected texts of at most {limit} word pieces for {self.space.model}, found {len(long)} longer; "
                f"the first is text {index} with {tokens}. Cut them into smaller chunks.",
                tokens=long,
                limit=limit,
            )


@lru_cache(maxsize=4)
def load_embedder(settings: config.Embedder) -> Embedder:
    """Returns the configured embedder, loaded once a process.

    The first load of a model with the onnx runtime exports it (about 20 s) into the cache folder; do that once,
    before workers start.

    Raises:
        ModelError: The model is not there or incomplete, or the machine lacks the device that was asked for.
    """
    if settings.runtime != "torch":
        refuse_gpu(settings.device, settings.runtime, "embedder")
    folder = locate(settings.model)
    model = read_sentence_model(folder)
    space = embedding_space(settings)
    encoder = _load_encoder(settings, folder, space)
    on_gpu = settings.runtime == "torch" and pick_device(settings.device) == "cuda"
    usual = settings.batch_tokens or (GPU_BATCH_TOKENS if on_gpu else CPU_BATCH_TOKENS)
    # Activations in int8 share one scale a batch: alone, a text's vector does not depend on its neighbours.
    batch_tokens = ALONE if space.precision else usual
    return SentenceEmbedder(space, ModelTokenizer(model), encoder, pad_id=model.pad_id, batch_tokens=batch_tokens)


@lru_cache(maxsize=4)
def embedding_space(settings: config.Embedder) -> EmbeddingSpace:
    """Returns the space of the configured embedder without loading it; both fp32 runtimes share it.

    Raises:
        ModelError: The model is not there or incomplete.
    """
    folder = locate(settings.model)
    model = read_sentence_model(folder)
    return EmbeddingSpace(
        model=Path(settings.model).name,
        revision=revision(folder)[:REVISION_DIGITS],
        pooling="+".join((*model.pooling, *model.extra)),
        normalised=model.normalised,
        dimension=model.dimension,
        precision="int8" if settings.runtime == "onnx-int8" else "",
    )


def _load_encoder(settings: config.Embedder, folder: Path, space: EmbeddingSpace) -> Encoder:
    if settings.runtime != "torch":
        from lakerag.models.onnx_encoder import OnnxEncoder, exported

        onnx = OnnxEncoder(exported(folder, space, settings.cache), settings.threads)
        _check_dimension(onnx.dimension, space)
        return onnx
    from lakerag.models.torch_encoder import TorchEncoder

    torch = TorchEncoder(folder, settings.device, settings.threads)
    _check_dimension(torch.dimension, space)
    return torch


def _check_dimension(found: int, space: EmbeddingSpace) -> None:
    if found != space.dimension:
        raise ModelError(
            f"Expected vectors of {space.dimension} numbers from {space.model}, as its configuration says, "
            f"found {found}. Copy the model folder again.",
            expected=space.dimension,
            found=found,
        )
