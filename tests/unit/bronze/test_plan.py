"""What a listing means against what bronze holds."""

from lakerag.bronze.listing import Listed
from lakerag.bronze.plan import Standing, Step, compare


def standing(
    path: str, op: str = "added", sha: str = "s", size: int = 1, modified: int = 5, arrived: int = 10
) -> Standing:
    return Standing(path, op, sha, size, modified, arrived)


def test_every_case_of_one_path() -> None:
    listed = [
        Listed("b", 2, 5),
        Listed("c", 1, 6),
        Listed("d", 1, 5),
        Listed("e", 1, 5),
        Listed("f", 1, 5),
        Listed("h", 1, 5),
    ]
    rows = [
        standing("a"),
        *map(standing, "bcd"),
        standing("e", op="deleted"),
        standing("g", op="deleted"),
        standing("h", sha=""),
    ]
    assert list(compare(listed, rows, now_us=100)) == [
        Step("a", "deleted", True, "s", 1, 5, 100),
        Step("b", "modified", True, "s", 2, 5, 100),
        Step("c", "modified", False, "s", 1, 6, 100),
        Step("d", "unchanged", False, "s", 1, 5, 100),
        Step("e", "added", True, None, 1, 5, 100),
        Step("f", "added", True, None, 1, 5, 100),
        Step("h", "modified", False, "", 1, 5, 100),
    ]


def test_an_arrival_is_later_than_the_one_before_even_when_the_clock_is_not() -> None:
    steps = compare([Listed("a", 2, 5), Listed("b", 1, 5)], [standing("a", arrived=500)], now_us=100)
    assert [(step.path, step.arrived_us) for step in steps] == [("a", 501), ("b", 100)]
