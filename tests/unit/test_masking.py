"""What no message may repeat of an address."""

import pytest

from lakerag.config import masked


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("postgresql://ml:s3cret@db:5432/mlflow", "postgresql://***@db:5432/mlflow"),
        ("postgresql+psycopg2://ml:s3/cr@et@db/mlflow", "postgresql+psycopg2://***@db/mlflow"),
        ("https://s3cret@mlflow.example/api: 401", "https://***@mlflow.example/api: 401"),
        ("postgresql://db/mlflow?user=ml&password=s3cret", "postgresql://db/mlflow?user=ml&password=***"),
        (
            "abfss://docs@acme.dfs.core.windows.net/a?sv=2&sig=s3cret",
            "abfss://***@acme.dfs.core.windows.net/a?sv=2&sig=***",
        ),
        ("sc://spark:443/;use_ssl=true;token=s3cret", "sc://spark:443/;use_ssl=true;token=***"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Ds3cret", "mssql+pyodbc:///?odbc_connect=***"),
        ("from 'http://a:s3cret@b/' to http://c:s3cret@d:1/e", "from 'http://***@b/' to http://***@d:1/e"),
    ],
)
def test_users_passwords_and_keys_are_left_out(text: str, said: str) -> None:
    assert masked(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////home/ann@acme/mlflow.db",
        "http://127.0.0.1:19530",
        "hdfs://name:8020/users/ann@acme/a.md",
        "s3://docs/ann@acme?region=eu-west-1&endpoint_override=127.0.0.1:9000",
        "databricks://profile",
        "models:/lakerag@champion",
        "Ask ann@acme.example, or look at https://acme.example:8080/help; key=value",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text
