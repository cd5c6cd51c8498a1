"""Puts a pipeline together from the settings; the one way to it for commands, model and SQL functions."""

from collections.abc import Iterator
from contextlib import contextmanager

from lakerag.config import Settings
from lakerag.models import load_embedder, load_generator
from lakerag.rag.answer import RagPipeline
from lakerag.rag.prompt import PromptBuilder
from lakerag.rag.retrieve import Retriever
from lakerag.rag.support import SupportCheck
from lakerag.stores import VectorStore, open_store

UNREGISTERED = "unregistered"
"""Version of a pipeline that does not come out of the registry."""


@contextmanager
def open_pipeline(settings: Settings, model_version: str = UNREGISTERED) -> Iterator[RagPipeline]:
    """Yields the pipeline over the configured store, which stays open for as long as the context.

    Raises:
        CollectionMissingError, MixedSpacesError, DimensionMismatchError, StoreUnavailableError, ModelError:
            As the parts do.
    """
    with open_store(settings.store) as store:
        yield build_pipeline(settings, store, model_version)


def build_pipeline(settings: Settings, store: VectorStore, model_version: str = UNREGISTERED) -> RagPipeline:
    """Returns the pipeline over an open store; the models are loaded once a process."""
    embedder = load_embedder(settings.embedder)
    retriever = Retriever(embedder, store, settings.store.alias, settings.retrieval.fields)
    generator = load_generator(settings.generator, embedder)
    return RagPipeline(
        retriever=retriever,
        generator=generator,
        prompts=PromptBuilder(settings.generator, generator.count_tokens, generator.max_prompt_tokens),
        support=SupportCheck(embedder),
        limits=settings.retrieval,
        max_batch=settings.serving.max_batch,
        model_version=model_version,
    )
