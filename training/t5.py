"""The T5 in a form that trains fast; its weights rename one to one into `T5ForConditionalGeneration`.

Differences in code, not in function: one attention class on fused kernels, no cache. Layer by layer it is
the T5 of Raffel et al. (2020), with the GELU feed-forward of BERT and tied embeddings.
"""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.config import Shape
from training.tokenizer import END, PAD

BUCKETS = 32
MAX_DISTANCE = 128
IGNORED = -100
BLOCKED = -30000.0
Value = TypeVar("Value")


def relative_buckets(length: int, *, bidirectional: bool, device: torch.device) -> Tensor:
    """Returns the bucket of every (query, key) distance, (length, length), as T5 defines them."""
    position = torch.arange(length, device=device)
    distance = position[None, :] - position[:, None]
    buckets = BUCKETS
    result = torch.zeros_like(distance)
    if bidirectional:
        buckets //= 2
        result = (distance > 0).long() * buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    exact = buckets // 2
    scale = (buckets - exact) / math.log(MAX_DISTANCE / exact)
    far = exact + (torch.log(distance.clamp(min=1).float() / exact) * scale).long()
    return result + torch.where(distance < exact, distance, far.clamp(max=buckets - 1))


class RmsNorm(nn.Module):
    """Normalises by the root mean square; no mean is taken off, nothing is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, stream: Tensor) -> Tensor:
        wide = stream.float()
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
        return (self.weight * (wide * scale)).to(stream.dtype)


class Attention(nn.Module):
    """Attention with a bias on the scores; the scores are not scaled, the initial weights are."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q, self.k, self.v, self.o = (nn.Linear(shape.width, shape.width, bias=False) for _ in range(4))
        for linear in (self.k, self.v, self.o):
            nn.init.normal_(linear.weight, 0, shape.width**-0.5)
        nn.init.normal_(self.q.weight, 0, shape.width**-0.5 * (shape.width // shape.heads) ** -0.5)

    def forward(self, queries: Tensor, memory: Tensor, bias: Tensor) -> Tensor:
        def split(projected: Tensor) -> Tensor:
            return projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        q, k, v = split(self.q(queries)), split(self.k(memory)), split(self.v(memory))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype), scale=1.0)
        return self.o(mixed.transpose(1, 2).flatten(-2))


class FeedForward(nn.Module):
    """Two matrices with BERT's GELU in between."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.wi = nn.Linear(shape.width, shape.inner, bias=False)
        self.wo = nn.Linear(shape.inner, shape.width, bias=False)
        nn.init.normal_(self.wi.weight, 0, shape.width**-0.5)
        nn.init.normal_(self.wo.weight, 0, shape.inner**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.wo(functional.gelu(self.wi(x)))


class EncoderLayer(nn.Module):
    """Self-attention, then the feed-forward, each on the normed stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm, self.attention = RmsNorm(shape.width), Attention(shape)
        self.inner_norm, self.inner = RmsNorm(shape.width), FeedForward(shape)
        self.drop = nn.Dropout(0.0)

    def forward(self, stream: Tensor, bias: Tensor) -> Tensor:
        normed = self.attention_norm(stream)
        stream = stream + self.drop(self.attention(normed, normed, bias))
        return stream + self.drop(self.inner(self.inner_norm(stream)))


class DecoderLayer(nn.Module):
    """Self-attention, attention to the encoder, feed-forward, each on the normed stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm, self.attention = RmsNorm(shape.width), Attention(shape)
        self.cross_norm, self.cross = RmsNorm(shape.width), Attention(shape)
        self.inner_norm, self.inner = RmsNorm(shape.width), FeedForward(shape)
        self.drop = nn.Dropout(0.0)

    def forward(self, stream: Tensor, bias: Tensor, memory: Tensor, memory_bias: Tensor) -> Tensor:
        normed = self.attention_norm(stream)
        stream = stream + self.drop(self.attention(normed, normed, bias))
        stream = stream + self.drop(self.cross(self.cross_norm(stream), memory, memory_bias))
        return stream + self.drop(self.inner(self.inner_norm(stream)))


class T5(nn.Module):
    """Encoder and decoder over one embedding, which the output shares."""

    def __init__(self, shape: Shape, vocabulary: int) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(vocabulary, shape.width)
        nn.init.normal_(self.embedding.weight, 0, 1.0)
        self.encoder = nn.ModuleList(EncoderLayer(shape) for _ in range(shape.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(shape) for _ in range(shape.decoder_layers))
        self.encoder_norm, self.decoder_norm = RmsNorm(shape.width), RmsNorm(shape.width)
        self.encoder_bias = nn.Embedding(BUCKETS, shape.heads)
        self.decoder_bias = nn.Embedding(BUCKETS, shape.heads)
        for table in (self.encoder_bias, self.decoder_bias):
            nn.init.zeros_(table.weight)

    def set_dropout(self, share: float) -> None:
        """Sets how much of every sublayer's output is dropped while training."""
        for layer in (*self.encoder, *self.decoder):
            layer.drop.p = share

    def compile_layers(self) -> None:
        """Compiles one encoder and one decoder layer; their siblings share the code, so it takes seconds."""
        for layer in (*self.encoder, *self.decoder):
            layer.compile(dynamic=False)

    def encode(self, tokens: Tensor, keep: tuple[int, ...] = ()) -> tuple[Tensor, list[Tensor]]:
        """Returns the memory (batch, length, width) and the normed inputs of the layers in `keep`."""
        padding = padding_bias(tokens)
        buckets = relative_buckets(tokens.shape[1], bidirectional=True, device=tokens.device)
        stream = self._embed(tokens)
        bias = (self.encoder_bias(buckets).permute(2, 0, 1)[None] + padding).to(stream.dtype).contiguous()
        kept = []
        for number, layer in enumerate(self.encoder):
            if number in keep:
                kept.append(layer.attention_norm(stream))
            stream = layer(stream, bias)
        memory = self.encoder_norm(stream)
        return memory, [*kept, memory] if len(self.encoder) in keep else kept

    def decode(self, inputs: Tensor, memory: Tensor, memory_bias: Tensor) -> Tensor:
        """Returns states (batch, length, width), ready for `logits`; the inputs start with the pad token."""
        length = inputs.shape[1]
        buckets = relative_buckets(length, bidirectional=False, device=inputs.device)
        future = torch.full((length, length), BLOCKED, device=inputs.device).triu(1)
        stream = self._embed(inputs)
        bias = (self.decoder_bias(buckets).permute(2, 0, 1)[None] + future).to(stream.dtype)
        bias = bias.expand(len(inputs), -1, -1, -1).contiguous()
        cross = memory_bias.to(stream.dtype).expand(-1, self.shape.heads, length, -1).contiguous()
        for layer in self.decoder:
            stream = layer(stream, bias, memory, cross)
        return self.decoder_norm(stream) * self.shape.width**-0.5

    def logits(self, states: Tensor) -> Tensor:
        return functional.linear(states, self.embedding.weight.to(states.dtype)).float()

    def forward(self, tokens: Tensor, labels: Tensor, *, even: bool = False) -> Tensor:
        """Returns the mean cross-entropy; `labels` (batch, length) hold `IGNORED` after the end.

        With `even` the tokens of a row of n weigh 1 / sqrt(n): a date counts nearly as much as a sentence.
        """
        memory, _ = self.encode(tokens)
        shifted = functional.pad(labels[:, :-1].clamp(min=PAD), (1, 0), value=PAD)
        logits = self.logits(self.decode(shifted, memory, padding_bias(tokens)))
        if not even:
            return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        each = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none")
        written = (labels != IGNORED).float()
        weight = written / written.sum(1, keepdim=True).clamp(min=1).sqrt()
        return (each.view_as(weight) * weight).sum() / weight.sum()

    @torch.no_grad()
    def generate(
        self, tokens: Tensor, steps: int, *, temperature: float = 0.0, first_tokens: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Writes up to `steps` tokens a row, greedily or by sampling, the first one among `first_tokens`.

        Returns:
            The tokens (batch, steps), padded after the end, and the log-probabilities of the first step.
        """
        memory, _ = self.encode(tokens)
        bias = padding_bias(tokens)
        written = torch.full((len(tokens), 1), PAD, device=tokens.device)
        ended = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
        first = torch.empty(0)
        for step in range(steps):
            logits = self.logits(self.decode(written, memory, bias)[:, -1])
            if step == 0:
                first = logits.log_softmax(-1)
                if first_tokens is not None:
                    barred = torch.ones_like(logits[0], dtype=torch.bool).index_fill(0, first_tokens, False)
                    logits = logits.masked_fill(barred, BLOCKED)
            if temperature > 0:
                token = torch.multinomial((logits / temperature).softmax(-1), 1)[:, 0]
            else:
                token = logits.argmax(-1)
            token = token.masked_fill(ended, PAD)
            written = torch.cat([written, token[:, None]], 1)
            ended |= token == END
            if step % 4 == 3 and bool(ended.all()):
                break
        return written[:, 1:], first

    def _embed(self, tokens: Tensor) -> Tensor:
        stream = self.embedding(tokens)
        return stream.to(torch.bfloat16) if tokens.is_cuda else stream


def padding_bias(tokens: Tensor) -> Tensor:
    """Returns (batch, 1, 1, length): zero for tokens, far below for padding."""
    return torch.zeros(tokens.shape, device=tokens.device).masked_fill(tokens == PAD, BLOCKED)[:, None, None, :]


def transformers_names(weights: dict[str, Value]) -> dict[str, Value]:
    """Renames the weights to those of `T5ForConditionalGeneration`."""
    blocks = {"encoder": ("attention", "inner"), "decoder": ("attention", "cross", "inner")}
    modules = {"attention": "SelfAttention", "cross": "EncDecAttention", "inner": "DenseReluDense"}
    renamed = {"shared.weight": weights["embedding.weight"]}
    for stack, parts in blocks.items():
        renamed[f"{stack}.final_layer_norm.weight"] = weights[f"{stack}_norm.weight"]
        table = f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        renamed[table] = weights[f"{stack}_bias.weight"]
        for name, value in weights.items():
            piece = name.split(".")
            if piece[0] != stack:
                continue
            part = piece[2].removesuffix("_norm")
            layer = f"{stack}.block.{piece[1]}.layer.{parts.index(part)}"
            inner = "layer_norm" if piece[2].endswith("_norm") else f"{modules[part]}.{piece[3]}"
            renamed[f"{layer}.{inner}.weight"] = value
    return renamed
