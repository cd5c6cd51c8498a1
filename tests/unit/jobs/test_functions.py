"""The SQL that makes ask() known to Unity Catalog."""

from click.testing import CliRunner

from lakerag.catalog import Catalog
from lakerag.config import Lakehouse
from lakerag.jobs import functions


def test_ask_and_search_are_granted_to_readers_and_what_takes_rights_to_nobody():
    catalog = Catalog(None, Lakehouse(catalog="lakerag_dev", schema="rag"))
    ask, ask_for, search, search_for, *grants = functions.statements(catalog, "lakerag-dev", "lakerag readers")
    assert ask.startswith("CREATE OR REPLACE FUNCTION `lakerag_dev`.`rag`.ask(question STRING")
    assert "ai_query('lakerag-dev', named_struct('question', question), returnType => 'STRUCT<answer: STRING" in ask
    assert "named_struct('question', question, 'tenant', tenant, 'groups', groups)" in ask_for
    assert search.startswith("CREATE OR REPLACE FUNCTION `lakerag_dev`.`rag`.search(query STRING COMMENT 'What to look")
    assert "k INT DEFAULT 5 COMMENT" in search
    assert "named_struct('question', query, 'task', 'search', 'top_k', k), returnType => 'STRUCT<passages:" in search
    assert search.endswith("alternates: ARRAY<STRING>>>>').passages")
    assert "'task', 'search', 'top_k', k, 'tenant', tenant, 'groups', groups)" in search_for
    assert grants == [
        f"GRANT EXECUTE ON FUNCTION `lakerag_dev`.`rag`.{name} TO `lakerag readers`" for name in ("ask", "search")
    ]
    assert len(functions.statements(catalog, "lakerag-dev", None)) == 4


def test_a_laptop_is_told_what_it_has_instead(tmp_path):
    result = CliRunner().invoke(functions.main, ["--home", str(tmp_path), "--endpoint", "e"])
    assert result.exit_code == 2
    assert "Locally `lakerag sql` has ask() and search()." in result.stderr
