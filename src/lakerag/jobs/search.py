"""`lakerag search`: retrieval alone."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.query import opened, question_of, question_options

EXCERPT_CHARS = 300


def _show(console: Console, result: Result) -> None:
    for n, passage in enumerate(result["passages"], 1):
        place = " > ".join(part for part in (passage["title"], passage["heading"]) if part)
        console.print(Text(f"{n}. {passage['score']:.3f}  {passage['path']}", "bold"), Text(place, "dim"))
        console.print(Text(shortened(passage["text"]) + "\n"))
    if not result["passages"]:
        console.print("No passage found that you may see. `lakerag status` shows what is indexed.")


def shortened(text: str) -> str:
    """Returns the first words of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT_CHARS else line[:EXCERPT_CHARS].rsplit(" ", 1)[0] + " …"


@command("search", _show)
@question_options
def main(job: Job, **options: Any) -> Result:
    """Find the passages that fit TEXT best."""
    with opened(job) as pipeline:
        [passages] = pipeline.search([question_of(job, **options)])
    return {"passages": [asdict(passage) for passage in passages]}
