"""What addresses hold of users, passwords and keys, which no message, log or packaged model may repeat."""

import re

MASK = "***"

# `urlsplit` alone would not do: a text may say several addresses, and SQLAlchemy and Azure take passwords with a `/`.
# What looks like a port and a path is none.
_USER = re.compile(r"(?<=://)[^\s/?#:@]*(?::(?!\d{1,5}[/?#])[^\s@]*)?@(?:[^\s/?#@]*@)*")
_PARAMETER = re.compile(
    r"(?<=[?&;])((?:[^\s?&;=]*(?:key|passw|pwd|secret|token)[^\s?&;=]*|odbc_connect|sig)=)[^\s&;]+", re.IGNORECASE
)
"""Of an address, `odbc_connect` being ODBC's whole one and `sig` the signature of Azure's shared access."""


def masked(text: str) -> str:
    """Returns a text in which every address is without its user, password and keys.

    >>> masked("no table in postgresql://ml:s3cret@db:5432/mlflow?sslpassword=other")
    'no table in postgresql://***@db:5432/mlflow?sslpassword=***'
    """
    return _PARAMETER.sub(rf"\1{MASK}", _USER.sub(f"{MASK}@", text))
