"""The Embedder, Generator and Reranker ports and their adapters; a runtime is imported when a model is loaded."""

from lakerag.models.embedder import embedding_space, load_embedder
from lakerag.models.generator import load_generator

__all__ = ["embedding_space", "load_embedder", "load_generator"]
