"""Competition in a trial: shallow statistics, routes, refusals, the planted fingerprint and what the store gets."""

import hashlib
import itertools
import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import default_cell_lines
from harness.data.shallow import ShallowStatistics, sequence_statistics, strand_words
from harness.data.store import content_hash
from harness.data.synthetic import GENERATOR, generate
from models.losses.competition import Competition
from tests.harness.conftest import MakeUnit
from tests.narrow import instance

COMPETING: dict[str, Any] = {
    "environment.teacher.kind": "gradient",
    "episode.pseudo_unseen": 0.4,
    "loss.competition.weight": 0.5,
    "loss.competition.warmup": 1,
    "loss.competition.folds": 2,
}


def test_statistics_of_a_sequence_by_hand() -> None:
    windows = np.array([[0, 0, 1, 2, 4, 4], [4, 4, 4, 4, 4, 4]], dtype=np.uint8)  # AACG + padding, nothing
    found = sequence_statistics(windows, np.array([1000, 0]))
    assert found.shape == (2, 34)
    assert found.dtype == np.float32
    assert found[0, :2].tolist() == pytest.approx([0.5, 3.0])
    which = strand_words()
    assert sorted(set(which.tolist())) == list(range(32))
    assert np.bincount(which).tolist() == [2] * 32
    aac, acg, gtt = which[0 * 16 + 0 * 4 + 1], which[0 * 16 + 1 * 4 + 2], which[2 * 16 + 3 * 4 + 3]
    assert aac == gtt, "a k-mer and its reverse complement are one"
    assert found[0, 2 + aac] == found[0, 2 + acg] == 0.5
    assert found[0, 2:].sum() == 1.0
    assert found[1].tolist() == [0.0] * 34


def test_statistics_of_pairs_are_those_of_their_two_elements(tiny_dataset: EncodedDataset) -> None:
    shallow, pairs = ShallowStatistics(tiny_dataset), np.array([[5, 0, 7], [3, 3, 1]])
    found = shallow.of(pairs)
    assert found.shape == (2, 3, 68)
    assert shallow.width == 68
    assert found.dtype == np.float32
    enhancer = tiny_dataset.enhancer_bases(pairs[0, :1])
    row = sequence_statistics(
        enhancer, tiny_dataset.sequence_lengths("enhancers")[tiny_dataset.enhancer_row[[5]]]
    )
    assert np.array_equal(found[0, 0, :34], row[0])
    letters = tiny_dataset.promoter_sequence(int(tiny_dataset.promoter_row[3]))
    assert found[1, 0, 34] == pytest.approx((letters.count("G") + letters.count("C")) / len(letters))


def test_fingerprint_marks_training_cell_lines_alone() -> None:
    plain = SyntheticBlock(cell_lines=6, pairs_per_cell=60, motifs=4)
    marked = plain.model_copy(update={"composition_fingerprint": 0.2})
    before, after = generate(plain), generate(marked)
    assert before.pairs.equals(after.pairs)
    cell_line, label = before.pairs["cell_line"].to_numpy(), before.pairs["label"].to_numpy() == 1
    train = np.isin(cell_line, default_cell_lines(sorted(set(cell_line))).train)
    for side in ("enhancers", "promoters"):
        old, new = (np.array([list(s) for s in getattr(data, side)["sequence"]]) for data in (before, after))
        changed = (old != new).mean(1)
        assert not changed[~train].any()
        # a share of 0.2 is drawn anew, of which a part comes out as it was
        assert 0.08 < changed[train].mean() < 0.2
        assert changed[train & label].mean() == pytest.approx(changed[train & ~label].mean(), abs=0.02)
        shift = {
            line: np.array([(new[cell_line == line] == base).mean() for base in "ACGT"])
            - np.array([(old[cell_line == line] == base).mean() for base in "ACGT"])
            for line in set(cell_line[train])
        }
        assert all(np.abs(a - b).max() > 0.01 for a, b in itertools.combinations(shift.values(), 2))
    content = {k: v for k, v in plain.model_dump(mode="json").items() if k != "composition_fingerprint"}
    text = f"format 1\nsynthetic {GENERATOR} {json.dumps(content, sort_keys=True)}"
    unmarked = content_hash(DataBlock(synthetic=plain))
    assert unmarked == hashlib.sha256(text.encode()).hexdigest(), (
        "caches of data without the fault stay valid"
    )
    assert content_hash(DataBlock(synthetic=marked)) != unmarked


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"episode": {}}, "loss.competition.weight needs episode.pseudo_unseen above 0"),
        ({"environment": {"source": "id"}, "episode": {}}, "needs a Student"),
        ({"loss": {"competition": {"weight": 1.0, "push": 0.0, "pull": 0.0}}}, "push and pull are both 0"),
    ],
)
def test_a_competition_that_could_not_act_is_refused(change: dict[str, Any], sentence: str) -> None:
    good: dict[str, Any] = {
        "environment": {"source": "support", "teacher": {"kind": "gradient"}},
        "episode": {"pseudo_unseen": 0.25},
        "loss": {"competition": {"weight": 1.0}},
    }
    assert ConfigurationBlock.model_validate(good).loss.competition.folds == 8
    with pytest.raises(ValueError, match=sentence):
        ConfigurationBlock.model_validate({**good, **change})


def test_competition_moves_the_groups_that_its_routing_allows(
    make_unit: MakeUnit,
) -> None:
    for routing, extra in (("isolated", set()), ("shared", {"S", "G"})):
        changes = {**COMPETING, "routing": routing, "energy.form": "interaction"}
        unit_run = make_unit(changes, run=routing)
        trainer = unit_run.trainer
        batch = next(iter(unit_run.sampler.epoch(1)))
        _, boundary, step, *_ = trainer.measure(batch, warm=False)
        term = instance(Competition, trainer.terms["competition"])
        state = dict(trainer.states["competition"])
        lines = len(unit_run.trained)
        for kind, student in (("seen", 0.9), ("hidden", 0.5)):
            state |= {
                f"{kind}/student": torch.full((lines,), student),
                f"{kind}/met": torch.full((lines,), 9.0),
                f"{kind}/advantage": torch.full((lines,), student - 0.7),
            }
            state |= {f"{kind}/{name}": torch.full((lines,), 0.7) for name in ("opportunist", "baseline")}
        state["seen/advantage"] = torch.tensor([0.2] * (lines - 1) + [-0.1])  # the last line: no shortcut
        source = torch.Generator().manual_seed(0)
        state |= {n: torch.randn(state[n].shape, generator=source) for n in ("z_s", "z_o", "r_s", "r_o")}
        value, _ = term(step, {**state, "met": torch.ones(lines)})
        leaves = boundary.leaves
        reach = "SETGA" if routing == "shared" else "".join(sorted(term.reach))
        moved = set()
        for group, members in {**trainer.model.groups(), "A": dict(term.named_parameters())}.items():
            targets = list(leaves) if group == "S" else list(members.values())
            found = torch.autograd.grad(value, targets, allow_unused=True, retain_graph=True)
            if group in reach and any(g is not None and float(g.abs().sum()) > 0 for g in found):
                moved.add(group)
        assert moved - {"T"} == {"E", "A"} | (extra if routing == "shared" else set()), routing
        if routing == "isolated":
            found = torch.autograd.grad(value, list(leaves), allow_unused=True, retain_graph=True)
            assert all(g is None or float(g.abs().sum()) == 0 for g in found), "sg U_I"


def test_rho_of_every_training_cell_line_is_in_the_store(make_unit: MakeUnit) -> None:
    unit_run = make_unit({**COMPETING, "curriculum.phase1_epochs": 1})
    while not unit_run.finished:
        unit_run.advance()
    assert unit_run.status == "done", unit_run.row["reason"]
    rows = pq.read_table(
        unit_run.run.path / "reports" / f"{unit_run.unit}.parquet", partitioning=None
    ).to_pylist()
    assert {row["term"] for row in rows} == {"competition"}
    named = {"rho", "rho_unseen", "advantage", "advantage_unseen", "acted", "pulled"}
    assert {row["name"] for row in rows} == named
    rhos = [row for row in rows if row["name"] == "rho"]
    assert [row["epoch"] for row in rhos] == [2] * 3 + [3] * 3
    last = [row for row in rhos if row["epoch"] == 3]
    assert [row["cell_line"] for row in last] == list(unit_run.trained)
    assert all(row["value"] > 0 and row["value"] != 1.0 for row in last)
    seen = (
        unit_run.trainer.states["competition"]["seen/student"]
        / unit_run.trainer.states["competition"]["seen/opportunist"]
    )
    assert [row["value"] for row in last] == pytest.approx(seen.tolist(), rel=1e-5)
    again = make_unit({**COMPETING, "curriculum.phase1_epochs": 1})
    assert again.rows("reports") == unit_run.rows("reports")
