"""`lakerag sql`: SQL over all tables and views, with ask() and search()."""

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lakerag.errors import UsageError
from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.search import shortened


def show_rows(console: Console, result: Result) -> None:
    """Prints rows as a table."""
    table = Table(*result["columns"])
    for row in result["rows"]:
        table.add_row(*(Text(shortened(str(row[name]))) for name in result["columns"]))
    console.print(table)


@command("sql", show_rows)
@click.argument("statement")
@click.option("--groups", default="", metavar="G1,G2", help="Groups that ask() and search() see with.")
@click.option("--tenant", default="", metavar="T", help="Tenant that they see with.")
@click.option("--limit", default=1000, show_default=True, help="Rows at most.")
def main(job: Job, statement: str, groups: str, tenant: str, limit: int) -> Result:
    """Run STATEMENT; ask(question) and search(query, k) are functions in it."""
    return run_sql(job, statement, groups, tenant, limit)


def run_sql(job: Job, statement: str, groups: str = "", tenant: str = "", limit: int = 1000) -> Result:
    """Runs one statement under the rights of a tenant and groups; returns at most `limit` rows.

    Raises:
        UsageError: Two columns of the result have one name; no row was read.
    """
    from lakerag import config
    from lakerag.answers.sql import register_functions, set_rights
    from lakerag.answers.views import create_views
    from lakerag.rag.endpoint import Endpoint

    create_views(job.catalog)
    spark = job.catalog.spark
    register_functions(spark, Endpoint.open, config.dump(job.worker_settings))
    set_rights(spark, tenant, [group for group in groups.split(",") if group])
    with job.step("running SQL"):
        rows = spark.sql(statement)
        _check_names(rows.columns)
        found = [row.asDict(recursive=True) for row in rows.limit(limit).toLocalIterator()]
    return {"columns": rows.columns, "rows": found}


def _check_names(columns: list[str]) -> None:
    """Refuses a result of which a row by name could not hold all."""
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise UsageError(
            f"Expected a name of its own for every column, found {', '.join(twice)} more than once. "
            "Name them in the SELECT: a.path AS path, b.path AS other_path.",
            columns=twice,
        )
