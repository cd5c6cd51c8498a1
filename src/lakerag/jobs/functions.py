"""`lakerag functions`: views, and ask() and search() over the serving endpoint, as objects of Unity Catalog."""

import click
from rich.console import Console

from lakerag.catalog import Catalog, literal, quoted
from lakerag.errors import ConfigError
from lakerag.jobs.job import Job, Result, command

QUESTION = "question STRING COMMENT 'The question'"
QUERY = "query STRING COMMENT 'What to look for', k INT {default}COMMENT 'Passages at most'"
RIGHTS = "tenant STRING COMMENT 'Tenant of the asker; empty: none', groups ARRAY<STRING> COMMENT 'Groups of the asker'"
PUBLIC = "from what everybody may see"
CLAIMED = "from what a tenant and groups may see; as the caller says"

FUNCTION = (
    "CREATE OR REPLACE FUNCTION {place}.{name}({arguments}) RETURNS {returns} COMMENT {comment} "
    "RETURN ai_query({endpoint}, named_struct({request}), returnType => {reply}){part}"
)


def _show(console: Console, result: Result) -> None:
    console.print(f"Created {', '.join([*result['views'], *result['functions']])}.")


@command("functions", _show)
@click.option("--endpoint", required=True, metavar="NAME", help="Serving endpoint of the registered model.")
@click.option("--readers", metavar="GROUP", help="Who may call ask() and search().")
def main(job: Job, endpoint: str, readers: str | None) -> Result:
    """Create the views, ask(question) and search(query, k) in Unity Catalog, and ask_for() and search_for().

    ask() and search() see what everybody may see. ask_for() and search_for() take tenant and groups and believe
    their caller: nobody but their owner may call them until they are granted.
    """
    from lakerag.answers.views import VIEWS, create_views

    if job.settings.spark.mode == "local":
        raise ConfigError("ai_query is Databricks' own. Locally `lakerag sql` has ask() and search().")
    with job.step("creating views and functions"):
        create_views(job.catalog)
        for statement in statements(job.catalog, endpoint, readers):
            job.catalog.spark.sql(statement)
    return {"views": list(VIEWS), "functions": ["ask", "ask_for", "search", "search_for"]}


def statements(catalog: Catalog, endpoint: str, readers: str | None) -> list[str]:
    """Returns the SQL that makes the functions known.

    Args:
        catalog: Where they go.
        endpoint: Name of the serving endpoint.
        readers: A group that may call `ask` and `search`.
    """
    from lakerag.answers.sql import ANSWER, PASSAGES

    place = ".".join(quoted(part) for part in (catalog.place.catalog, catalog.place.db))
    answer = f"STRUCT<{', '.join(f'{name}: {kind}' for name, kind in ANSWER.items())}>"
    asking = {"returns": answer, "reply": literal(answer), "part": ""}
    found = {"returns": PASSAGES, "reply": literal(f"STRUCT<passages: {PASSAGES}>"), "part": ".passages"}
    question, query = "'question', question", "'question', query, 'task', 'search', 'top_k', k"
    rights = ", 'tenant', tenant, 'groups', groups"
    parts = (
        ("ask", QUESTION, f"One answer with citations, {PUBLIC}", question, asking),
        ("ask_for", f"{QUESTION}, {RIGHTS}", f"One answer with citations, {CLAIMED}", question + rights, asking),
        ("search", QUERY.format(default="DEFAULT 5 "), f"Passages, {PUBLIC}", query, found),
        ("search_for", f"{QUERY.format(default='')}, {RIGHTS}", f"Passages, {CLAIMED}", query + rights, found),
    )
    made = [
        FUNCTION.format(
            place=place,
            name=name,
            arguments=arguments,
            comment=literal(comment),
            endpoint=literal(endpoint),
            request=request,
            **returned,
        )
        for name, arguments, comment, request, returned in parts
    ]
    if readers:
        made += [f"GRANT EXECUTE ON FUNCTION {place}.{name} TO {quoted(readers)}" for name in ("ask", "search")]
    return made
