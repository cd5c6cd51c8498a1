"""The parts of set-up that decide something."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def pip_settings() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPTS / "pip_settings.py")))


@pytest.fixture(scope="module")
def setup() -> SimpleNamespace:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        return SimpleNamespace(**runpy.run_path(str(SCRIPTS / "setup.py"), run_name="setup"))


def test_pips_settings_become_uvs(pip_settings: SimpleNamespace) -> None:
    listing = (
        ":env:.cert='/certificates.pem'\n"
        ":env:.disable-pip-version-check='1'\n"
        "global.index-url='https://mirror.example/simple'\n"
        "global.timeout='60'\n"
    )
    assert pip_settings.translate(listing) == {
        "SSL_CERT_FILE": "/certificates.pem",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_HTTP_TIMEOUT": "60",
    }


def test_the_environment_outranks_install_and_install_outranks_global(pip_settings: SimpleNamespace) -> None:
    listing = ":env:.proxy='c'\nglobal.proxy='a'\nglobal.cert='a'\ninstall.cert='b'\ninstall.proxy='b'\n"
    assert pip_settings.translate(listing) == {"ALL_PROXY": "c", "SSL_CERT_FILE": "b"}


def test_several_indexes_are_searched_as_pip_does(pip_settings: SimpleNamespace) -> None:
    assert pip_settings.translate("global.extra-index-url='\\nhttps://a.example\\nhttps://b.example'\n") == {
        "UV_INDEX": "https://a.example https://b.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_missing_link_folders_are_passed_over_as_pip_does(pip_settings: SimpleNamespace, tmp_path: Path) -> None:
    assert pip_settings.translate(f"global.find-links='/no/such/folder {tmp_path}'\n") == {
        "UV_FIND_LINKS": str(tmp_path)
    }
    assert pip_settings.translate("global.find-links='/no/such/folder'\n") == {}


def test_downloads_are_shown_every_few_seconds_not_one_by_one(setup: SimpleNamespace) -> None:
    seconds = iter([0.0, 1.0, 10.0, 10.0, 10.0])
    lines = [
        "Resolved 3 packages in 1s\n",
        "Downloading torch (500.0MiB)\n",
        "Downloading numpy (20.5MiB)\n",
        " Downloaded numpy\n",
        " Downloaded torch\n",
        "Installed 3 packages in 2s\n",
        " + torch==2.0\n",
    ]
    assert list(setup.condense(lines, lambda: next(seconds))) == [
        "Resolved 3 packages in 1s",
        "520 of 520 MiB, 52 MiB/s",
        "Installed 3 packages in 2s",
    ]


def test_errors_of_the_installer_are_shown_whole(setup: SimpleNamespace) -> None:
    assert list(setup.condense(["error: no space left\n", "  cause: disk full\n"])) == [
        "error: no space left",
        "  cause: disk full",
    ]
