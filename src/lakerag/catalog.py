"""Where the Delta tables stand: creates them by their contracts, reads, merges, tells versions."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from lakerag.config import Lakehouse
from lakerag.errors import SchemaError, TransientError
from lakerag.tables import ALL_TABLES, Table

CONFLICT = "DELTA_CONCURRENT"
"""Begins Delta's conditions for a commit that another one was faster than."""
_VIOLATED = "DELTA_VIOLATE_CONSTRAINT"


def quoted(name: str) -> str:
    """Returns a name as a SQL identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """Returns a text as a SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def properties_sql(properties: Mapping[str, str]) -> str:
    """Returns what stands between the brackets of TBLPROPERTIES."""
    return ", ".join(f"{literal(name)} = {literal(value)}" for name, value in properties.items())


def properties_of(table: Table) -> dict[str, str]:
    """Returns the table properties of a contract; its constraints are properties of Delta's own."""
    return {**table.properties, "lakerag.key": ",".join(table.key), "lakerag.contract": str(table.version)}


@dataclass(frozen=True)
class Catalog:
    """The tables of one lakehouse, by their contracts."""

    spark: SparkSession
    place: Lakehouse

    def ref(self, table: Table) -> str:
        """Returns the table's three-part name, quoted."""
        return ".".join(quoted(part) for part in (self.place.catalog, self.place.db, table.name))

    def ensure(self, tables: Iterable[Table] = ALL_TABLES) -> None:
        """Creates the tables that are not there; touches no existing one."""
        with ThreadPoolExecutor(max_workers=4) as creating:
            list(creating.map(self._ensure, tables))

    def check(self, tables: Iterable[Table] = ALL_TABLES) -> None:
        """Looks whether the tables have every column of their contracts.

        Raises:
            SchemaError: Some were made by an older version; nothing was written.
        """
        with ThreadPoolExecutor(max_workers=4) as looking:
            lacking = dict(zip((table.name for table in tables), looking.map(self._lacking, tables), strict=True))
        if older := {name: columns for name, columns in lacking.items() if columns}:
            found = "; ".join(f"{name} lacks {', '.join(columns)}" for name, columns in older.items())
            raise SchemaError(
                f"Expected the tables of this version of lakerag, found an older layout: {found}. "
                "`lakerag migrate` brings them forward.",
                lacking=older,
            )

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """Returns the table's rows, now or as of a version."""
        at = "" if version is None else f" VERSION AS OF {int(version)}"
        return self.spark.sql(f"SELECT * FROM {self.ref(table)}{at}")  # noqa: S608 (a quoted name and a number)

    def append(self, table: Table, rows: DataFrame, **options: str) -> int:
        """Adds rows in the contract's columns, in one commit; returns how many.

        Args:
            table: Target.
            rows: At least the contract's columns.
            options: Options of Delta's writer (`txnAppId`, `txnVersion`).
        """
        before = self.version(table)
        writer = rows.select(*table.names).write.format("delta").mode("append").options(**options)
        with _expecting(table):
            writer.saveAsTable(self.ref(table))
        last = self._last_commit(table)
        # Delta makes no commit of no rows, nor of a transaction that it has seen.
        return int(last["operationMetrics"].get("numOutputRows", 0)) if last["version"] > before else 0

    def merge(self, table: Table, changes: DataFrame, guard: str) -> dict[str, int]:
        """Brings rows into the table by its key, in one commit or none.

        Args:
            table: Target.
            changes: At most one row a key: the contract's columns and `deleted` (boolean).
            guard: Condition over `t` (target) and `s` (change) under which a matched row
                differs; equal rows are left alone, so that the change feed stays silent.

        Returns:
            Rows `inserted`, `updated`, `deleted`.
        """
        on = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in table.key)
        columns = ", ".join(quoted(name) for name in table.names)
        values = ", ".join(f"s.{quoted(name)}" for name in table.names)
        sets = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in table.names)
        statement = (
            f"MERGE INTO {self.ref(table)} t USING {{changes}} s ON {on} "  # noqa: S608 (quoted names)
            f"WHEN MATCHED AND s.deleted THEN DELETE "
            f"WHEN MATCHED AND ({guard}) THEN UPDATE SET {sets} "
            f"WHEN NOT MATCHED AND NOT s.deleted THEN INSERT ({columns}) VALUES ({values})"
        )
        with _expecting(table):
            result = self.spark.sql(statement, changes=changes).first()
        assert result is not None
        return {name: int(result[f"num_{name}_rows"]) for name in ("inserted", "updated", "deleted")}

    def breaches(self, table: Table) -> dict[str, int]:
        """Returns how many rows break each soft expectation, and how many stand for a key that another row has.

        Names begin with `expect.`, as they stand in `ops_runs`.
        """
        keys = F.struct(*table.key)
        counts = {
            name: F.count_if(~F.coalesce(F.expr(rule), F.lit(False))) for name, rule in table.expectations.items()
        }
        counts["unique_key"] = F.count("*") - F.count_distinct(keys)
        row = self.read(table).agg(*(count.alias(name) for name, count in counts.items())).first()
        assert row is not None
        return {f"expect.{name}": int(row[name]) for name in counts}

    def version(self, table: Table) -> int:
        """Returns the table's latest version."""
        return int(self._last_commit(table)["version"])

    def last_change(self, table: Table) -> dict[str, Any]:
        """Returns the latest `version` and when it was committed (`changed_at`)."""
        last = self._last_commit(table)
        return {"version": int(last["version"]), "changed_at": last["timestamp"]}

    def changes(self, table: Table, first_version: int) -> DataFrame:
        """Returns the rows of the table's change feed from a version on."""
        reader = self.spark.read.option("readChangeFeed", "true").option("startingVersion", first_version)
        return reader.table(self.ref(table))

    def table_id(self, table: Table) -> str:
        """Returns the id that Delta gave the table when it was created; a recreated one differs."""
        detail = self.spark.sql(f"DESCRIBE DETAIL {self.ref(table)}").first()
        assert detail is not None
        return str(detail["id"])

    def _lacking(self, table: Table) -> list[str]:
        found = set(self.spark.table(self.ref(table)).columns)
        return [name for name in table.names if name not in found]

    def _last_commit(self, table: Table) -> Row:
        commit = self.spark.sql(f"DESCRIBE HISTORY {self.ref(table)} LIMIT 1").first()
        assert commit is not None
        return commit

    def _ensure(self, table: Table) -> None:
        if self.place.root is None:
            self.spark.sql(self._definition(table))
            return
        folder = f"{self.place.root}/{table.name}"
        if Path(folder, "_delta_log").is_dir():  # made by an earlier session, of which this one's catalog knows nothing
            self.spark.sql(f"CREATE TABLE IF NOT EXISTS {self.ref(table)} USING delta LOCATION {literal(folder)}")
        else:
            self.spark.sql(f"{self._definition(table)} LOCATION {literal(folder)}")

    def _definition(self, table: Table) -> str:
        columns = ", ".join(
            f"{quoted(c.name)} {c.type}{' NOT NULL' if c.required else ''} COMMENT {literal(c.comment)}"
            for c in table.columns
        )
        constraints = {f"delta.constraints.{name}": condition for name, condition in table.constraints.items()}
        marking = {"delta.enableDeletionVectors": "true"} if self.place.deletion_vectors and _is_edited(table) else {}
        properties = {**properties_of(table), **marking, **constraints}
        return (
            f"CREATE TABLE IF NOT EXISTS {self.ref(table)} ({columns}) USING delta"
            f" CLUSTER BY ({', '.join(quoted(name) for name in table.cluster_by)}) COMMENT {literal(table.comment)}"
            f" TBLPROPERTIES ({properties_sql(properties)})"
        )


def _is_edited(table: Table) -> bool:
    """Says whether rows of a table change; those of a log and of a cache are added and removed."""
    return "delta.enableChangeDataFeed" in table.properties


@contextmanager
def _expecting(table: Table) -> Iterator[None]:
    """Says why a commit was refused, another being faster or an expectation broken; nothing of it was written."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:  # Delta's conflicts come unconverted
        if CONFLICT in str(error):
            raise TransientError(
                f"Another process changed {table.name} at the same time, and nothing of this commit was written. "
                "Run again; the next run goes on from here.",
                table=table.name,
            ) from error
        broken = next((name for name in table.constraints if f" {name} " in str(error) and _VIOLATED in str(error)), "")
        if not broken:
            raise
        raise SchemaError(
            f"Expected every row of {table.name} to hold to {broken} ({table.constraints[broken]}), found one that "
            "does not; nothing was written. Mend what the stage reads, or report the file that leads to it.",
            table=table.name,
            expectation=broken,
        ) from error
