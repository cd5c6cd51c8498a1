"""`lakerag migrate`: brings tables that an older version made to the layout of this one, or says why it cannot."""

from dataclasses import dataclass
from typing import Any

import click
from pyspark.sql import functions as F
from pyspark.sql.types import StructType
from rich.console import Console

from lakerag.catalog import Catalog, literal, properties_of, properties_sql, quoted
from lakerag.errors import SchemaError
from lakerag.jobs.job import Job, Result, command
from lakerag.tables import ALL_TABLES, GOLD_STAGED, Table

CONTRACT = "lakerag.contract"
_CONSTRAINT = "delta.constraints."


@dataclass(frozen=True, slots=True)
class Layout:
    """A table as it was found."""

    schema: StructType
    properties: dict[str, str]
    comment: str
    clustered_by: tuple[str, ...]

    @property
    def constraints(self) -> dict[str, str]:
        return {
            name.removeprefix(_CONSTRAINT): rule
            for name, rule in self.properties.items()
            if name.startswith(_CONSTRAINT)
        }


def _show(console: Console, result: Result) -> None:
    for statement in result["statements"]:
        console.print(statement, soft_wrap=True)
    done = "would be run" if result["dry_run"] else "run"
    console.print(f"{len(result['statements'])} statements {done}; every table has the layout of this version then.")


@command("migrate", _show)
@click.option("--dry-run", is_flag=True, help="Show the statements alone.")
def main(job: Job, dry_run: bool) -> Result:
    """Add the columns, comments, constraints and properties that older tables lack; rows stay as they are."""
    tables = (*ALL_TABLES, GOLD_STAGED)
    with job.step("comparing tables with their contracts"):
        job.lakehouse.ensure(tables)
        statements = plan(job.lakehouse, tables)
    if not dry_run:
        with job.step("bringing tables forward"):
            for statement in statements:
                job.lakehouse.spark.sql(statement)
    return {"statements": statements, "dry_run": dry_run}


def plan(catalog: Catalog, tables: tuple[Table, ...]) -> list[str]:
    """Returns the statements that bring the tables to their contracts.

    Raises:
        SchemaError: A table that no statement brings there; all of them are named.
    """
    found = [(table, look(catalog, table)) for table in tables]
    blocked = [
        f"{table.name} {why}"
        for table, layout in found
        for why in obstacles(table, layout) or broken_rules(catalog, table, layout)
    ]
    if blocked:
        raise SchemaError(
            "Expected tables that can be brought forward, found:\n"
            + "\n".join(f"  - {line}" for line in blocked)
            + "\nNothing was changed. A silver or gold table is made from the one before it: rename it, and "
            "`lakerag run` builds it anew.",
            tables=blocked,
        )
    return [step for table, layout in found for step in steps(catalog.ref(table), table, layout)]


def look(catalog: Catalog, table: Table) -> Layout:
    """Returns the table as it stands."""
    detail = catalog.spark.sql(f"DESCRIBE DETAIL {catalog.ref(table)}").first()
    assert detail is not None
    schema = catalog.spark.table(catalog.ref(table)).schema
    return Layout(schema, dict(detail["properties"]), detail["description"] or "", tuple(detail["clusteringColumns"]))


def obstacles(table: Table, found: Layout) -> list[str]:
    """Returns what keeps a table from its contract, each as the end of a sentence that begins with its name."""
    known = {column.name: column for column in table.columns}
    there = {field.name: field for field in found.schema}
    version = int(found.properties.get(CONTRACT, "0"))
    newer = [f"is of layout {version}, newer than {table.version}: install that lakerag"] * (version > table.version)
    other = [
        f"holds {name} as {there[name].dataType.simpleString()}, not {column.type.lower()}"
        for name, column in known.items()
        if name in there and there[name].dataType.simpleString() != column.type.lower().replace(" ", "")
    ]
    lacking = [
        f"lacks {name}, which no row may be without" for name, c in known.items() if c.required and name not in there
    ]
    foreign = [
        f"wants {name} in every row, which this version does not know"
        for name, field in there.items()
        if name not in known and not field.nullable
    ]
    return [*newer, *other, *lacking, *foreign]


def broken_rules(catalog: Catalog, table: Table, found: Layout) -> list[str]:
    """Returns the constraints to be added that rows do not hold to, as `obstacles` does; to Delta, null does not."""
    rules = _new_rules(table, found)
    if not rules:
        return []
    there = {field.name for field in found.schema}
    absent = {column.name: F.lit(None).cast(column.type) for column in table.columns if column.name not in there}
    counts = {name: F.count_if(~F.coalesce(F.expr(rule), F.lit(False))) for name, rule in rules.items()}
    rows = catalog.read(table).withColumns(absent)
    row = rows.agg(*(count.alias(name) for name, count in counts.items())).first()
    assert row is not None
    return [
        f"has {row[name]} rows that do not hold to {name} ({rule}), which this version asks for: mend or delete them"
        for name, rule in rules.items()
        if row[name]
    ]


def steps(ref: str, table: Table, found: Layout) -> list[str]:
    """Returns the statements that bring a table without obstacles to its contract; none where it is there."""
    alter = f"ALTER TABLE {ref}"
    there: dict[str, Any] = {field.name: field for field in found.schema}
    made = []
    for column in table.columns:
        name, comment = quoted(column.name), literal(column.comment)
        if column.name not in there:
            made.append(f"{alter} ADD COLUMNS ({name} {column.type} COMMENT {comment})")
            continue
        if there[column.name].metadata.get("comment") != column.comment:
            made.append(f"{alter} ALTER COLUMN {name} COMMENT {comment}")
        if not column.required and not there[column.name].nullable:
            made.append(f"{alter} ALTER COLUMN {name} DROP NOT NULL")
    made += _constraint_steps(alter, table, found)
    if found.clustered_by != table.cluster_by:
        made.append(f"{alter} CLUSTER BY ({', '.join(quoted(name) for name in table.cluster_by)})")
    if found.comment != table.comment:
        made.append(f"COMMENT ON TABLE {ref} IS {literal(table.comment)}")
    # Last: it says that everything before it is done.
    wrong = {name: value for name, value in properties_of(table).items() if found.properties.get(name) != value}
    if wrong:
        made.append(f"{alter} SET TBLPROPERTIES ({properties_sql(wrong)})")
    return made


def _constraint_steps(alter: str, table: Table, found: Layout) -> list[str]:
    gone = [name for name, rule in found.constraints.items() if table.constraints.get(name) != rule]
    new = _new_rules(table, found)
    return [
        *(f"{alter} DROP CONSTRAINT {quoted(name)}" for name in gone),
        *(f"{alter} ADD CONSTRAINT {quoted(name)} CHECK ({rule})" for name, rule in new.items()),
    ]


def _new_rules(table: Table, found: Layout) -> dict[str, str]:
    return {name: rule for name, rule in table.constraints.items() if found.constraints.get(name) != rule}
