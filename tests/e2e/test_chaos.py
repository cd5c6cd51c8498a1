"""A short chaos; `make chaos` runs a long one."""

import pytest

from tests.chaos.rounds import run


@pytest.mark.long
def test_nothing_is_lost_or_doubled_when_sync_store_and_network_die(tmp_path, capsys):
    report = run(tmp_path, rounds=2, seed=7, store="lite", say=print)
    assert report["kills"] == 2, capsys.readouterr().out
    assert report["store_kills"] + report["cuts"] + report["slowdowns"] > 0
    assert report["rows"] > 0
    assert report["looks"] > 0
    assert (report["differences"], report["reconcile"], report["missed"]) == ({"sync": 0, "rebuild": 0}, 0, 0)
