"""A draw of a space is composed once in the life of a driver, whoever asks for it."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.config.blocks.block import Block, sharing
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space import composer
from harness.config.space.compose import compose, load_preset
from harness.config.space.composer import MOST, Composer
from harness.config.sweep.sweep import load_sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.design.plan import Plan
from harness.stamp.stamp import Stamp
from harness.sweep.search.impossible import refuse_impossible
from harness.sweep.search.left import unplanned
from harness.sweep.start import prepare

YAML = """
name: small
base: minimal
data: {synthetic: {form: gated}}
set: {episode.query: 8}
space:
  energy.form: {choice: [linear, gated]}
  support.size: {choice: [4, 6, 8]}
"""


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each draw was composed, and resolved."""
    counts: Counter[str] = Counter()
    resolved = ConfigurationBlock.resolved

    def counted(base: Mapping[str, Any], changes: Mapping[str, Any]) -> ConfigurationBlock:
        counts[f"composed {sorted(changes.items())}"] += 1
        return compose(base, changes)

    def counted_too(self: ConfigurationBlock, *, gpu: bool = False) -> ConfigurationBlock:
        counts[f"resolved {self.energy.form} {self.support.size}"] += 1
        return resolved(self, gpu=gpu)

    monkeypatch.setattr(composer, "compose", counted)
    monkeypatch.setattr(ConfigurationBlock, "resolved", counted_too)
    return counts


@pytest.mark.parametrize("design", ["search", "grid"])
def test_a_start_composes_every_draw_once(
    design: str,
    composed: Counter[str],
    tiny_dataset: EncodedDataset,
    tiny_fold: Fold,
    tmp_path: Path,
) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(f"{YAML}design: {design}\n")
    sweep = load_sweep(file)
    refuse_impossible(sweep, tiny_dataset, [tiny_fold], gpu=False)
    fresh = Plan.of(sweep, folds=[tiny_fold], data=tiny_dataset.hash)
    stamp = Stamp.of(sweep.config, data=tiny_dataset.hash)
    prepare(sweep, fresh, tmp_path / "run", resume=False, gpu=False, stamp=stamp)
    assert len(list(unplanned(sweep, (), gpu=False) or ())) == 6
    assert len(composed) == 1 + 6 + 6, "the base, and every draw"
    assert set(composed.values()) == {1}


def test_a_refusal_is_remembered_as_well(composed: Counter[str]) -> None:
    make = Composer(load_preset("minimal"))
    said = []
    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            make.resolved({"support.size": 0}, gpu=False)
        said.append((caught.value.path, str(caught.value)))
    assert said == [("support.size", "support.size is 0, expected at least 2")] * 2
    assert sum(composed.values()) == 1


def test_the_latest_configurations_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer, "MOST", 2)
    assert MOST > 1000
    make = Composer({})
    first, second = make({}), make({"support.size": 8})
    assert make({}) is first
    make({"support.size": 9})
    assert make({}) is first
    assert make({"support.size": 8}) is not second


def test_configurations_share_equal_blocks_and_stay_the_same() -> None:
    made = Composer(load_preset("complete"))
    base, other = (
        made.resolved(changes, gpu=False)
        for changes in ({}, {"loss.ranking.weight": 0.25, "optimiser.lr": 0.5})
    )
    alone = compose(load_preset("complete"), {"loss.ranking.weight": 0.25, "optimiser.lr": 0.5}).resolved()
    assert other == alone
    assert other.id == alone.id != base.id
    assert other.canonical() == alone.canonical()
    assert other.model_fields_set == alone.model_fields_set
    assert other.environment is base.environment
    assert other.loss.contrastive is base.loss.contrastive
    assert other.loss.ranking is not base.loss.ranking
    assert (base.loss.ranking.weight, other.loss.ranking.weight) != (0.25, 0.5)


def test_what_is_equal_as_a_number_alone_is_not_shared() -> None:
    class Inner(Block):
        value: int | float | bool

    class Outer(Block):
        inner: Inner
        name: str

    whole, real = (Outer(inner=Inner(value=value), name=str(value)) for value in (1, 1.0))
    assert whole.inner == real.inner
    assert sharing(real, whole).model_dump_json() == real.model_dump_json()
    assert sharing(Outer(inner=Inner(value=1), name="x"), whole).inner is whole.inner
