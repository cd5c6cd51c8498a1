"""`lakerag ask`: one answer with citations."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.query import opened, question_of, question_options
from lakerag.jobs.search import shortened


def place_of(found: Mapping[str, Any]) -> str:
    """Returns where a citation or passage stands: `guide.pdf, page 3 > Install (also in copy.pdf)`."""
    page = f", page {found['page']}" if found["page"] else ""
    heading = f" > {found['heading']}" if found["heading"] else ""
    also = f" (also in {', '.join(found['alternates'])})" if found["alternates"] else ""
    return f"{found['path']}{page}{heading}{also}"


def show_answer(console: Console, result: Result) -> None:
    """Prints an answer with the places that it rests on."""
    if result["abstained"]:
        console.print(Text(f"No answer: {result['reason']}", "yellow"))
    else:
        console.print(Text(result["answer"], "bold"))
    for citation in result["citations"]:
        console.print(Text(f"  [{citation['n']}] {place_of(citation)}", "cyan"))
        console.print(Text(f"      {shortened(citation['excerpt'])}", "dim"))
    total = result["timings_ms"]["total"]
    console.print(Text(f"  {result['generator']}, confidence {result['confidence']:.2f}, {total:.0f} ms", "dim"))


@command("ask", show_answer)
@question_options
def main(job: Job, **options: Any) -> Result:
    """Answer the question TEXT from the indexed documents."""
    from lakerag.rag.answer import to_document

    with opened(job) as pipeline:
        [answer] = pipeline.answer([question_of(job, **options)])
    return to_document(answer)
