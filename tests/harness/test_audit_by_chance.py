"""What an audit begins with is drawn by chance: whatever it is, nobody is accused of what nobody has broken."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audit.probe import Probe
from harness.audit.probe_batches import BATCHES, FEWEST, batches_of, can_be_ranked, lines_of, trimmed
from harness.audit.rehearsal import TINY
from harness.audit.unit_inspector import AuditInspector
from harness.config.blocks.data import DataBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset
from harness.data.folds import make_folds
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.episodes.sampler import EpisodeBatch, Sampler, build_sampler
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import MakeUnit

WINDOWS = {"enhancer_bp": 80, "promoter_bp": 100}
SHAPE = {f"model.{name}": size for name, size in WINDOWS.items()}
CONFIG = compose(load_preset("rp24"), {**TINY, **SHAPE, "curriculum.phase1_epochs": 0}).resolved(gpu=False)
PLANTED = {"form": "gated", "cell_lines": 24, "pairs_per_cell": 60, "chromosomes": 4, "motifs": 4, **WINDOWS}
DATA = DataBlock.model_validate({"synthetic": PLANTED})


BALANCED = np.arange(120 * 60) % 2
"""Labels of the pairs of `sampler`."""


def in_common(one: EpisodeBatch, other: EpisodeBatch) -> int:
    return len(lines_of(one) & lines_of(other))


def sampler(lines: int, seed: int, config: ConfigurationBlock = CONFIG) -> Sampler:
    pools = [np.arange(60 * line, 60 * (line + 1)) for line in range(lines)]
    return build_sampler(config, pools, [f"C{line}" for line in range(lines)], seed)


@pytest.mark.parametrize("lines", [18, 40, 120])
def test_what_warms_a_probe_has_lines_of_its_batch(lines: int) -> None:
    strangers = 0
    for seed in range(20):
        chosen = batches_of(sampler(lines, seed), 0, BALANCED)
        drawn = [batch for epoch in (1, 2) for batch in sampler(lines, seed).epoch(epoch)][:BATCHES]
        strangers += not in_common(*drawn[-2:])
        assert in_common(*chosen[-2:])
        assert np.array_equal(chosen[-1].query, drawn[-1].query)
        if in_common(*drawn[-2:]):
            assert all(np.array_equal(a.query, b.query) for a, b in zip(chosen, drawn, strict=True))
    assert strangers


@pytest.mark.parametrize("lines", [2, 5, 40])
def test_episodes_one_by_one_are_of_several_lines(lines: int) -> None:
    one = compose(load_preset("minimal"), {**TINY, **SHAPE, "episode.per_step": 1}).resolved(gpu=False)
    for seed in range(20):
        *_, before, warming, last = batches_of(sampler(lines, seed, one), 0, BALANCED)
        assert lines_of(warming) & lines_of(last)
        assert (lines_of(before) | lines_of(warming)) - lines_of(last)


def test_batches_of_other_lines_accuse_no_term(tmp_path: Path) -> None:
    dataset = open_dataset(DATA, **WINDOWS, cache=tmp_path / "cache", progress=False)
    fold = make_folds(dataset, DATA)[0]
    for seed in range(40):
        run = RunWriter(tmp_path / f"run{seed}")
        unit_run = UnitRun(CONFIG, dataset, fold, seed, run, inspector=AuditInspector)
        drawn = list(unit_run.sampler.epoch(1))[:BATCHES]
        if not in_common(*drawn[-2:]):
            break
    else:
        pytest.fail("no seed of 40 begins with batches of other cell lines")
    unit_run.advance()
    first = [row for row in unit_run.audited if row["moment"] == "first"]
    told = {row["mechanism"]: row["verdict"] for row in first}
    assert {told[name] for name in ("contrastive", "prototypes_hinged")} <= {"active", "idle", "drowned"}
    assert [row["reason"] for row in first if row["verdict"] in ("inert", "leaking", "broken")] == []


@pytest.mark.parametrize("after", [0, 6])
def test_a_probe_sees_pairs_that_can_be_ranked(after: int) -> None:
    few = {"episode.sampler": "random", "episode.query": 4, "episode.per_step": 2}
    mixed = compose(load_preset("minimal"), {**TINY, **SHAPE, **few}).resolved(gpu=False)
    blocks = compose(load_preset("rp09"), {**TINY, **SHAPE, "episode.query": 4}).resolved(gpu=False)
    rare = (np.arange(120 * 60) % 5 == 0).astype(np.float32)
    chosen = [batches_of(sampler(5, seed, mixed), after, rare)[-1] for seed in range(30)]
    assert all(can_be_ranked(batch, rare) for batch in chosen)
    drawn = [list(sampler(5, seed, mixed).epoch(1))[BATCHES - 1] for seed in range(30)]
    assert not all(can_be_ranked(batch, rare) for batch in drawn)
    strangers = batches_of(sampler(40, 0, blocks), after, rare)[-1]
    assert not can_be_ranked(strangers, rare), "one pair of each line"


def test_a_ranking_without_pairs_to_rank_says_so(tmp_path: Path) -> None:
    mixed = {**TINY, **SHAPE, "episode.query": 4, "loss.ranking.weight": 0.1}
    config = compose(load_preset("rp09"), mixed).resolved(gpu=False)
    dataset = open_dataset(DATA, **WINDOWS, cache=tmp_path / "cache", progress=False)
    fold = make_folds(dataset, DATA)[0]
    unit = UnitRun(config, dataset, fold, 0, RunWriter(tmp_path / "run"), inspector=AuditInspector)
    unit.advance()
    told = {row["mechanism"]: (row["verdict"], row["reason"]) for row in unit.audited}
    assert told["ranking_pairwise"][0] == "inert"
    assert "100 batches has both labels of one cell line" in told["ranking_pairwise"][1]


def rankable(label: np.ndarray, line: np.ndarray) -> int:
    positive = label[:, None] > label[None]
    return int((positive & (line[:, None] == line[None])).sum())


@given(st.data())
def test_trimmed_sets_can_be_ranked(data: st.DataObject) -> None:
    episodes, size = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 70))
    share, lines = data.draw(st.sampled_from([0.0, 0.03, 0.5, 1.0])), data.draw(st.sampled_from([1, 3, 40]))
    source = np.random.default_rng(data.draw(st.integers(0, 99)))
    label = (source.random(2 * episodes * size) < share).astype(np.float32)
    support, query = np.arange(len(label)).reshape(2, episodes, size)
    of_query = source.integers(lines, size=query.shape)
    few = trimmed(EpisodeBatch(support, query, np.full(episodes, -1), of_query), label)
    for whole, part in ((support, few.support), (query, few.query)):
        assert min(size, FEWEST) <= part.shape[1] <= max(FEWEST, size // 2)
        assert all(len(np.intersect1d(*rows)) == part.shape[1] for rows in zip(whole, part, strict=True))
    for rows in zip(query, of_query, few.query, few.query_cell, strict=True):
        whole, line, part, own = rows
        assert (own == line[np.searchsorted(whole, part)]).all()
        assert rankable(label[part], own) >= min(2 if lines == 1 else 1, rankable(label[whole], line))
    for whole, part in zip(support, few.support, strict=True):
        assert len(np.unique(label[part])) == len(np.unique(label[whole]))


@pytest.mark.parametrize("form", ["gated", "linear"])
def test_what_a_fitted_temperature_absorbs_is_not_dead(form: str, tmp_path: Path) -> None:
    """One unseen cell line validates: there a gate is a factor, and T is fitted to it."""
    data = DataBlock.model_validate({"synthetic": {**PLANTED, "cell_lines": 7, "pairs_per_cell": 160}})
    dataset = open_dataset(data, **WINDOWS, cache=tmp_path / "cache", progress=False)
    fold = make_folds(dataset, data)[0]
    assert len(fold.val) == 1
    chosen = {"energy.form": form, "temperature.mode": "calibrated", "curriculum.phase1_epochs": 0}
    short = {
        "model.encoder": "cnn",
        "optimiser.epochs": 2,
        "optimiser.steps_per_epoch": 2,
        "balance.epochs": 1.0,
    }
    config = compose(load_preset("rp24"), {**TINY, **SHAPE, **short, **chosen}).resolved(gpu=False)
    unit_run = UnitRun(config, dataset, fold, 2, RunWriter(tmp_path / "run"), inspector=AuditInspector)
    while not unit_run.finished:
        unit_run.advance()
    assert (unit_run.status, unit_run.row["reason"]) == ("done", "")


# Of eleven terms one is satisfied, and without it a sum is rounded otherwise.
SATISFIED = {
    "model.embedding": 4, "model.kernel": 5, "model.width": 8, "model.pool": 12, **SHAPE,
    "optimiser.epochs": 1, "optimiser.steps_per_epoch": 1, "evaluation.train_subset": 64, "support.draws": 2,
    "episode.per_step": 1, "episode.query": 4, "support.size": 16, "environment.encoder": "mean", "model.dropout": 0.1,
    "loss.sparsity.z_e": 0.62, "loss.prototypes.weight": 0.12, "loss.prototypes.kind": "hinged",
    "curriculum.phase1_epochs": 0,
}  # fmt: skip


def test_a_term_that_rests_among_many_is_idle(tmp_path: Path) -> None:
    content = {**PLANTED, "form": "linear", "cell_lines": 13, "pairs_per_cell": 160}
    data = DataBlock.model_validate({"synthetic": content})
    dataset = open_dataset(data, **WINDOWS, cache=tmp_path / "cache", progress=False)
    config = compose(load_preset("rp13"), SATISFIED).resolved(gpu=False)
    run = RunWriter(tmp_path / "run")
    unit_run = UnitRun(config, dataset, make_folds(dataset, data)[0], 104, run, inspector=AuditInspector)
    unit_run.advance()
    first = [row for row in unit_run.audited if row["moment"] == "first"]
    (row,) = [row for row in first if row["mechanism"] == "prototypes_hinged"]
    assert (row["verdict"], row["grad_norm"]) == ("idle", 0.0)
    assert [each["reason"] for each in first if each["verdict"] in ("inert", "leaking", "broken")] == []


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_the_twins_step_hides_some_names_and_not_all(make_unit: MakeUnit, share: float) -> None:
    changes = {"episode.pseudo_unseen": share, "episode.per_step": 5, "environment.teacher.kind": "gradient"}
    for seed in range(4):
        unit_run = make_unit(changes, seed=seed, run=f"seed{seed}")
        probe = Probe(unit_run.subject, step_s=1.0)
        hidden = probe.plain.hidden(probe.batch, int(probe.weights["index"]))
        assert hidden is not None
        assert 0 < int(hidden.sum()) < len(hidden)
        if share < 0.5:
            assert int(hidden.sum()) == 1


def test_a_term_that_has_met_one_line_is_idle(tmp_path: Path) -> None:
    """After one step of one episode there is a single prototype, and nothing to be told apart from it."""
    dataset = open_dataset(DATA, **WINDOWS, cache=tmp_path / "cache", progress=False)
    one = {"episode.per_step": 1, "optimiser.epochs": 1, "optimiser.steps_per_epoch": 1}
    kind = {"loss.prototypes.weight": 0.2, "loss.prototypes.kind": "contrastive"}
    config = compose(load_preset("minimal"), {**TINY, **SHAPE, **one, **kind}).resolved(gpu=False)
    run = RunWriter(tmp_path / "run")
    unit_run = UnitRun(config, dataset, make_folds(dataset, DATA)[0], 0, run, inspector=AuditInspector)
    unit_run.advance()
    assert (unit_run.status, unit_run.row["reason"]) == ("done", "")
    told = {(row["moment"], row["mechanism"]): row["verdict"] for row in unit_run.rows("audit")}
    assert told["last", "prototypes_contrastive"] == "idle"
