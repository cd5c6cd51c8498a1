"""What a session is told, where its compute takes little."""

from types import SimpleNamespace

import pytest
from pyspark.errors import AnalysisException

from lakerag.session import RUNTIME, set_up

SERVERLESS = {
    "spark.databricks.execution.timeout",
    "spark.sql.ansi.enabled",
    "spark.sql.files.maxPartitionBytes",
    "spark.sql.legacy.timeParserPolicy",
    "spark.sql.session.timeZone",
    "spark.sql.shuffle.partitions",
}
"""All that it lets a session set (Databricks, "Configure Spark properties for serverless notebooks and jobs")."""


class Conf:
    def __init__(self, taken: set[str]) -> None:
        self.taken, self.held = taken, dict[str, str]()

    def set(self, name: str, value: str) -> None:
        if name not in self.taken:
            raise AnalysisException(f"[CONFIG_NOT_AVAILABLE] Configuration {name} is not available.")
        self.held[name] = value


def test_serverless_compute_that_refuses_most_settings_gets_what_stages_rely_on() -> None:
    conf = Conf(SERVERLESS)
    set_up(SimpleNamespace(conf=conf))  # type: ignore[arg-type]
    assert conf.held == RUNTIME


def test_a_session_that_refuses_what_stages_rely_on_is_no_session() -> None:
    with pytest.raises(AnalysisException):
        set_up(SimpleNamespace(conf=Conf(set())))  # type: ignore[arg-type]
