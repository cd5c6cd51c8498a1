"""The teacher as it is: one vector a text, and the nearest texts by them."""

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from training.config import Recipe
from training.reader import device, stack
from training.transplant import load_teacher

MAX_TOKENS = 256
BATCH = 1024


@torch.no_grad()
def embed(recipe: Recipe, texts: list[str]) -> Tensor:
    """Returns (texts, width) unit vectors: the mean of the last hidden states, as all-MiniLM-L6-v2 defines it."""
    where, teacher = device(), load_teacher(recipe)
    words = Tokenizer.from_file(str(recipe.teacher / "tokenizer.json"))
    words.enable_truncation(MAX_TOKENS)
    words.no_padding()
    order = np.argsort([len(text) for text in texts], kind="stable")
    vectors = torch.zeros(len(texts), teacher.config.hidden_size, device=where)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        tokens = stack(words.encode_batch([texts[n] for n in chosen]), where)
        mask = (tokens != 0).long()
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
            hidden = teacher(tokens, attention_mask=mask).last_hidden_state.float()
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        vectors[torch.from_numpy(chosen).to(where)] = functional.normalize(mean, dim=-1)
    return vectors


def nearest(queries: Tensor, vectors: Tensor, count: int, allowed: Tensor | None = None) -> np.ndarray:
    """Returns the positions of the nearest `vectors`, the nearest first: (queries, count)."""
    count = min(count, len(vectors))
    found = []
    for part in queries.split(2048):
        similarity = part @ vectors.T
        if allowed is not None:
            similarity = similarity.masked_fill(~allowed, -2.0)
        found.append(similarity.topk(count, dim=1).indices.cpu())
    return torch.cat(found).numpy()
