"""`lakerag functions`: views, and ask() over the serving endpoint, as objects of Unity Catalog."""

import click
from rich.console import Console

from lakerag.catalog import Catalog, literal, quoted
from lakerag.errors import ConfigError
from lakerag.jobs.job import Job, Result, command

RETURNS = "RETURNS {answer} COMMENT {comment} RETURN ai_query({endpoint}, {request}, returnType => {returns})"

ASK = "CREATE OR REPLACE FUNCTION {place}.ask(question STRING COMMENT 'The question') " + RETURNS

ASK_FOR = (
    "CREATE OR REPLACE FUNCTION {place}.ask_for(question STRING COMMENT 'The question', "
    "tenant STRING COMMENT 'Tenant of the asker; empty: none', groups ARRAY<STRING> COMMENT 'Groups of the asker') "
    + RETURNS
)


def _show(console: Console, result: Result) -> None:
    console.print(f"Created {', '.join([*result['views'], *result['functions']])}.")


@command("functions", _show)
@click.option("--endpoint", required=True, metavar="NAME", help="Serving endpoint of the registered model.")
@click.option("--readers", metavar="GROUP", help="Who may call ask().")
def main(job: Job, endpoint: str, readers: str | None) -> Result:
    """Create the views, ask(question) and ask_for(question, tenant, groups) in Unity Catalog.

    ask() sees what everybody may see. ask_for() takes the word of its caller for tenant and
    groups: nobody but its owner may call it until it is granted.
    """
    from lakerag.answers.views import VIEWS, create_views

    if job.settings.spark.mode == "local":
        raise ConfigError("ai_query is Databricks' own. Locally `lakerag sql` has ask() and search().")
    with job.step("creating views and functions"):
        create_views(job.catalog)
        for statement in statements(job.catalog, endpoint, readers):
            job.catalog.spark.sql(statement)
    return {"views": list(VIEWS), "functions": ["ask", "ask_for"]}


def statements(catalog: Catalog, endpoint: str, readers: str | None) -> list[str]:
    """Returns the SQL that makes the functions known.

    Args:
        catalog: Where they go.
        endpoint: Name of the serving endpoint.
        readers: A group that may call `ask`.
    """
    from lakerag.answers.sql import ANSWER

    place = ".".join(quoted(part) for part in (catalog.place.catalog, catalog.place.db))
    answer = f"STRUCT<{', '.join(f'{name}: {kind}' for name, kind in ANSWER.items())}>"
    common = {"place": place, "answer": answer, "endpoint": literal(endpoint), "returns": literal(answer)}
    made = [
        ASK.format(
            **common,
            comment=literal("One answer with citations, from what everybody may see"),
            request="named_struct('question', question)",
        ),
        ASK_FOR.format(
            **common,
            comment=literal("One answer with citations, from what a tenant and groups may see; as the caller says"),
            request="named_struct('question', question, 'tenant', tenant, 'groups', groups)",
        ),
    ]
    if readers:
        made.append(f"GRANT EXECUTE ON FUNCTION {place}.ask TO {quoted(readers)}")
    return made
