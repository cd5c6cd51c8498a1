"""Puts a pipeline together from the settings; the one way to it for commands, model and SQL functions."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lakerag.config import ModelSettings
from lakerag.models import load_embedder, load_generator
from lakerag.models.cross_encoder import load_reranker
from lakerag.rag.answer import Observe, RagPipeline, unobserved
from lakerag.rag.prompt import PromptBuilder
from lakerag.rag.retrieve import Retriever
from lakerag.rag.support import SupportCheck
from lakerag.stores import VectorStore, open_store

UNREGISTERED = "unregistered"
"""Version of a pipeline that does not come out of the registry."""


@contextmanager
def open_pipeline(
    settings: ModelSettings, model_version: str = UNREGISTERED, *, traced: bool = False
) -> Iterator[RagPipeline]:
    """Yields the pipeline over the configured store, which stays open for as long as the context.

    Args:
        settings: Of models, store and limits.
        model_version: What answers call the model.
        traced: Whether to write the traces that `serving.trace_share` asks for.

    Raises:
        CollectionMissingError, MixedSpacesError, DimensionMismatchError, StoreUnavailableError, ModelError:
            As the parts do.
    """
    with ExitStack() as stack:
        store, observe = stack.enter_context(open_store(settings.store)), None
        if traced and settings.serving.trace_share > 0:
            from lakerag.rag.tracing import TraceLog

            traces = TraceLog(settings.registry, settings.serving.trace_share)
            stack.callback(traces.close)
            observe = traces.observe
        yield build_pipeline(settings, store, model_version, observe)


def build_pipeline(
    settings: ModelSettings, store: VectorStore, model_version: str = UNREGISTERED, observe: Observe | None = None
) -> RagPipeline:
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
        reranker=load_reranker(settings.retrieval),
        model_version=model_version,
        observe=observe or unobserved,
    )
