"""What a command gives, as the JSON document of `--json`."""

import json
import math
from typing import Any


def to_json(result: dict[str, Any]) -> str:
    """Returns a result as JSON, which has no word for NaN and the infinities: they are null, as for JavaScript.

    >>> to_json({"score": float("nan"), "rows": [{"n": 1.5}]})
    '{"score": null, "rows": [{"n": 1.5}]}'
    """
    return json.dumps(_plain(result), default=str, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Returns a value whose numbers and keys JSON can say; SQL's maps have keys of any type."""
    if isinstance(value, dict):
        return {key if isinstance(key, (str, int)) else str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
