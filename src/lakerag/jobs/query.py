"""What `search` and `ask` share: the options of a question, and the pipeline that answers it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from lakerag.jobs.job import Job
from lakerag.records import Access, Question

if TYPE_CHECKING:
    from lakerag.rag.answer import RagPipeline


def question_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that a question takes."""
    options = (
        click.argument("text"),
        click.option("--top-k", type=int, metavar="K", help="Passages to retrieve."),
        click.option("--filter", "where", default="", metavar="EXPR", help='Such as: lang == "en" and year >= 2024.'),
        click.option("--groups", default="", metavar="G1,G2", help="Groups of the asker."),
        click.option("--tenant", default="", metavar="T", help="Tenant of the asker."),
        click.option("--mode", type=click.Choice(["vector", "keyword", "hybrid"]), help="How to retrieve."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def question_of(
    job: Job, text: str, top_k: int | None, where: str, groups: str, tenant: str, mode: str | None
) -> Question:
    """Returns the question that the options describe; what they leave open comes from the settings."""
    retrieval = job.settings.retrieval
    return Question(
        question=text,
        access=Access(tenant, tuple(group.strip() for group in groups.split(",") if group.strip())),
        top_k=retrieval.top_k if top_k is None else top_k,
        mode=mode or retrieval.mode,
        filter=where,
    )


@contextmanager
def opened(job: Job) -> Iterator["RagPipeline"]:
    """Yields the pipeline that the settings describe, over the index as it stands."""
    from lakerag.rag.load import open_pipeline

    with ExitStack() as stack:
        with job.step("opening models and index"):
            pipeline = stack.enter_context(open_pipeline(job.active))
        yield pipeline
