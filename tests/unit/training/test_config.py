"""The recipe's settings."""

from pathlib import Path

import pytest

from training.config import load_recipe

PATHS = "texts: a\nteacher: b\nwork: {work}\nexport: c\n"


def test_settings_that_a_file_leaves_out_keep_their_defaults(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yml"
    file.write_text(PATHS.format(work=tmp_path / "w") + "tune: {steps: 3, seconds: 5, batch: 2, rate: 0.1}\n")

    recipe = load_recipe(file)

    assert (recipe.tune.steps, recipe.tune.warmup, recipe.shape.width) == (3, 0.03, 384)
    assert recipe.work.is_dir()


def test_unknown_key_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yml"
    file.write_text(PATHS.format(work=tmp_path / "w") + "shape: {widht: 3}\n")

    with pytest.raises(ValueError, match=r"keys of Shape, found \['widht'\]"):
        load_recipe(file)


def test_full_recipe_leaves_the_scored_sources_out() -> None:
    recipe = Path(__file__).parents[3] / "training" / "configs" / "full.yml"

    text = recipe.read_text(encoding="utf-8")

    assert "tldr-pages/tldr: 0.0" in text
    assert "delta-io/delta: 0.0" in text
