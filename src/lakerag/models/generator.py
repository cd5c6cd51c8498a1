"""Which generator writes the answers."""

from lakerag import config
from lakerag.models.base import Embedder, Generator


def load_generator(settings: config.Generator, embedder: Embedder) -> Generator:
    """Returns the configured generator, loaded.

    Args:
        settings: The section `generator`.
        embedder: Compares sentences with questions, where the generator does.

    Raises:
        ModelError: The model is not there, incomplete or of another kind.
    """
    if settings.kind == "t5":
        from lakerag.models.t5 import load_t5

        return load_t5(settings)
    from lakerag.models.extractive import ExtractiveGenerator

    return ExtractiveGenerator(embedder, settings)
