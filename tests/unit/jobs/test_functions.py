"""The SQL that makes ask() known to Unity Catalog."""

from click.testing import CliRunner

from lakerag.catalog import Catalog
from lakerag.config import Lakehouse
from lakerag.jobs import functions


def test_ask_is_granted_to_readers_and_ask_for_to_nobody():
    place = Lakehouse(catalog="lakerag_dev", schema="rag")
    ask, ask_for, grant = functions.statements(Catalog(None, place), "lakerag-dev", "lakerag readers")
    assert ask.startswith("CREATE OR REPLACE FUNCTION `lakerag_dev`.`rag`.ask(question STRING")
    assert "ai_query('lakerag-dev', named_struct('question', question), returnType => 'STRUCT<answer: STRING" in ask
    assert "named_struct('question', question, 'tenant', tenant, 'groups', groups)" in ask_for
    assert grant == "GRANT EXECUTE ON FUNCTION `lakerag_dev`.`rag`.ask TO `lakerag readers`"
    assert len(functions.statements(Catalog(None, place), "lakerag-dev", None)) == 2


def test_a_laptop_is_told_what_it_has_instead(tmp_path):
    result = CliRunner().invoke(functions.main, ["--home", str(tmp_path), "--endpoint", "e"])
    assert result.exit_code == 2
    assert "Locally `lakerag sql` has ask() and search()." in result.stderr
