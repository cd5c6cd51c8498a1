"""What addresses hold of users, passwords and keys, which no message, log or packaged model may repeat."""

import re

MASK = "***"

# No `urlsplit`: a message says addresses amid other words, and SQLAlchemy takes passwords with a `/`. A port and a path
# with an `@` (`hdfs://name:8020/ann@acme`) are no password.
_USER = re.compile(r"(?<=://)[^\s/?#:@]*(?::(?!\d{1,5}[/?#])[^\s@]*)?@(?:[^\s/?#@]*@)*")
# Parameters stand after `?` or `&`, Spark Connect's after `;`. `odbc_connect` is a whole connection string, `sig` the
# signature of Azure's shared access.
_PARAMETER = re.compile(
    r"(?<=[?&;])((?:[^\s?&;=]*(?:key|passw|pwd|secret|token)[^\s?&;=]*|odbc_connect|sig)=)[^\s&;]+", re.IGNORECASE
)


def masked(text: str) -> str:
    """Returns a text in which every address is without its user, password and keys.

    >>> masked("no table in postgresql://ml:s3cret@db:5432/mlflow?sslpassword=other")
    'no table in postgresql://***@db:5432/mlflow?sslpassword=***'
    """
    return _PARAMETER.sub(rf"\1{MASK}", _USER.sub(f"{MASK}@", text))
