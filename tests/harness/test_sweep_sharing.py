"""Phase 1 that configurations have in common: who trains it, who waits, and what that saves."""

from pathlib import Path

import pandas as pd
import pytest
from ray.tune.search import Searcher

from analysis.store import Run
from harness.config.space.compose import SEARCH_SPACES
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds
from harness.data.store import open_dataset
from harness.design.plan import Plan
from harness.store.writer import RunWriter
from harness.sweep.run.prefixes import Taken
from harness.sweep.search.makers import Makers
from harness.sweep.search.sharing import Sharing
from harness.trial.prefix import FOLDER
from harness.trial.unit_run import UnitRun
from tests.harness.command import command
from tests.harness.small_sweeps import SETTINGS
from tests.harness.test_sweep_proposer import Make
from tests.narrow import present

DATA = "{form: gated, cell_lines: 5, pairs_per_cell: 60, enhancer_bp: 80, promoter_bp: 80, chromosomes: 4}"
COMMON = f"""
name: sharing
base: minimal
data: {{synthetic: {DATA}}}
trial: {{epochs: 4, seeds: 2}}
objective: val_unseen/pooled/aupr
{SETTINGS}  curriculum.phase1_epochs: 3
"""
GRID = (
    COMMON
    + """
design: grid
space:
  energy.form: {grid: [linear, gated]}
  loss.prototypes.weight: {grid: [0.0, 0.5]}
"""
)
SEARCH = COMMON + "trials: 4\nspace:\n  "
ONE, OTHER = ("k", "f0"), ("k", "f1")


def test_the_first_trains_a_prefix_and_the_others_wait_for_it() -> None:
    makers = Makers()
    makers.begin("t0", ONE, 2)
    assert not makers.ready(ONE)
    assert makers.ready(OTHER), "another fold has another phase 1"
    assert makers.ready(None)
    makers.reached("t0", 1)
    assert not makers.ready(ONE)
    makers.reached("t0", 2)
    assert makers.ready(ONE)


def test_nobody_waits_for_a_maker_that_has_died() -> None:
    makers = Makers()
    makers.begin("t0", ONE, 2)
    makers.ended("t0")
    assert makers.ready(ONE)
    makers.begin("t1", ONE, 2)
    assert not makers.ready(ONE)


def test_a_trial_whose_prefix_is_in_the_making_is_held_back(tmp_path: Path) -> None:
    make = Make(tmp_path, phase1=lambda config: "odd" if config.episode.query < 64 else None)
    held = make(ran=[8, 16, 64], trials=3)
    first, second = present(held.suggest("t0")), present(held.suggest("t1"))
    assert [(each["changes"]["episode.query"], each["shares"]) for each in (first, second)] == [
        (8, True),
        (64, False),
    ]
    nothing: object = held.suggest("t2")
    assert nothing is None
    held.on_trial_result("t0", {"epoch": 1, "objective": 0.5})
    assert present(held.suggest("t2"))["changes"]["episode.query"] == 16
    done = {"status": "done", "objective": 0.5, "epoch": 3, "ended": []}
    for name in ("t0", "t1", "t2"):
        held.on_trial_complete(name, done)
    last: object = held.suggest("t3")
    assert last == Searcher.FINISHED


def opened(sweep: Sweep, folder: Path) -> tuple[EncodedDataset, list[Fold]]:
    data = sweep.config.data
    dataset = open_dataset(data, enhancer_bp=80, promoter_bp=80, cache=folder / "cache", progress=False)
    return dataset, make_folds(dataset, data)


def foreseen(folder: Path, text: str, new: int = 0, *sets: str) -> str:
    (folder / "sharing.yaml").write_text(text)
    sweep = load_sweep(folder / "sharing.yaml", overrides=sets)
    dataset, folds = opened(sweep, folder)
    plan = Plan.of(sweep, folds=folds, data=dataset.hash)
    pending = {config: plan.units_of(config) for config in plan.asked}
    return Sharing(sweep, dataset, folds[0], gpu=False, run=folder).foreseen(plan, pending, new)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GRID, "2 of 8 phases to train, the others are taken from these: 2.29 x fewer epochs at most"),
        (
            SEARCH + "energy.w: {uniform: [0.5, 2.0]}\nset.energy.form: gated\n",
            "2 of 8 phases to train, the others are taken from these: 2.29 x fewer epochs at most",
        ),
        (
            SEARCH + "optimiser.lr: {loguniform: [0.0001, 0.01]}\n",
            "nothing can be shared: it reads optimiser.lr, which the space varies",
        ),
        (
            SEARCH + "model.dropout: {choice: [0.0, 0.2]}\n  energy.form: {choice: [linear, gated]}\n",
            "trained once by configurations that have model.dropout in common",
        ),
    ],
    ids=["grid", "search", "continuous", "choice"],
)
def test_the_ceiling_is_known_before_it_runs(tmp_path: Path, text: str, sentence: str) -> None:
    if "set.energy" in text:
        text = text.replace("set.energy.form: gated\n", "").replace("\nset:", "\nset:\n  energy.form: gated")
    assert foreseen(tmp_path, text, 0 if text == GRID else 4) == sentence


def test_a_sweep_may_be_told_not_to_share(tmp_path: Path) -> None:
    assert foreseen(tmp_path, GRID, 0, "trial.share_prefix=false") == "not shared (trial.share_prefix: false)"


def test_epochs_that_an_earlier_start_left_are_mentioned(tmp_path: Path) -> None:
    for name in ("epoch-1.pt", "epoch-1.pt.damaged", "epoch-2.pt"):
        file = tmp_path / FOLDER / "0f" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    assert foreseen(tmp_path, GRID).endswith("at most; 2 epochs left by an earlier start may spare more")
    alone = GRID.replace("[0.0, 0.5]", "[0.0]").replace("[linear, gated]", "[linear]")
    assert foreseen(tmp_path, alone) == (
        "nothing of 2 phases can be shared: each reads other values; 2 epochs left by an earlier start may spare more"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "shared_prefix",
            "8 of 44 phases to train, the others are taken from these: 2.20 x fewer epochs at most",
        ),
        (
            "rp24",
            "nothing can be shared: it reads loss.ranking.weight, loss.sparsity.z_i, which the space varies",
        ),
    ],
)
def test_a_shipped_sweep_says_what_it_can_share(tmp_path: Path, name: str, sentence: str) -> None:
    text = (SEARCH_SPACES / f"{name}.yaml").read_text(encoding="utf-8")
    assert foreseen(tmp_path, text, 8 if name == "rp24" else 0) == sentence


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows without clocks, in the order of what names them: parts are grouped otherwise than a unit's own file."""
    names = [str(name) for name in table if not pd.api.types.is_float_dtype(table[name])]
    return table.drop(columns=["wall_s", "cpu_s"], errors="ignore").sort_values(names, ignore_index=True)


@pytest.mark.timeout(300)
def test_a_sweep_shares_as_much_as_its_ceiling(tmp_path: Path) -> None:
    (tmp_path / "sharing.yaml").write_text(GRID)
    run, cache = tmp_path / "run", tmp_path / "cache"
    ended = command("harness.sweep", tmp_path / "sharing.yaml", "--out", run, "--cache", cache)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 of 8 phases to train" in ended.stdout
    assert "phase 1 shared: 2 of 8 phases trained, 2.29 x fewer epochs (ceiling 2.29)" in ended.stdout
    assert not (run / FOLDER).exists()
    plan = present(Plan.load(run))
    assert Taken.of(run, plan) == Taken(phases=8, trained=2, epochs=32, shared=18)
    units = Run.open(run).table("units")
    fork = units[units.shared_epochs == 3].iloc[0]
    dataset, folds = opened(load_sweep(tmp_path / "sharing.yaml"), tmp_path)
    alone = UnitRun(
        plan.configs[fork.config].config,
        dataset,
        folds[0],
        int(fork.seed),
        RunWriter(tmp_path / "alone"),
        objective="val_unseen/pooled/aupr",
    )
    while not alone.finished:
        alone.advance()
    for name in ("epochs", "cells", "terms", "mechanisms", "predictions"):
        whole = Run.open(run).table(name)
        mine = whole[(whole.config == fork.config) & (whole.seed == fork.seed)]
        its = Run.open(tmp_path / "alone").table(name)
        pd.testing.assert_frame_equal(in_order(mine), in_order(its), check_exact=True, obj=name)
