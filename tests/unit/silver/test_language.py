"""The language is told where there is enough to tell it by."""

import pytest

from lakerag.silver.language import identify


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The pump in the cellar runs at night and stops when the tank is full.", "en"),
        ("Die Pumpe im Keller läuft in der Nacht und hält an, wenn der Behälter voll ist.", "de"),
        ("La pompe de la cave tourne la nuit et s'arrête quand le réservoir est plein.", "fr"),
        (
            "水泵在夜间自动停止。仓库的门在早上六点打开。过滤器每三个月更换一次。冷却回路需要每月清洗。备用阀门的编号是三十七。",
            "zh",
        ),
        ("Short text", "und"),
        ("1234 5678 90 " * 100, "und"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert identify(text) == language
