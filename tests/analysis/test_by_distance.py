"""AUPR of a run's own configurations by distance, beside the rule that knows the distance alone."""

import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from analysis.__main__ import main, print_ranking
from analysis.by_distance import MATCHED, NEARER, WHOLE, distance_figures, distance_view
from analysis.distance import EDGES, by_distance, matched_aupr
from analysis.language import catalogue, translated
from analysis.ranking import rank
from analysis.schema import PROVENANCE
from analysis.store import Run
from tests.recorded.copies import Copy, write, write_run

COPIES = (Copy("aaa111", {"k": 1}, lift=0.1), Copy("bbb222", {"k": 2}))
SEEDS = (0, 1)
RNG = np.random.default_rng(0)
DISTANCE = np.concatenate([RNG.integers(1_000, 10_000, 60), RNG.integers(30_000, 50_000, 60)])
LABEL = RNG.integers(0, 2, 120)
LINE = np.where(np.arange(120) % 2 == 0, "C1", "C2")
NEAR = "0-10"


def logits(config: str, seed: int) -> np.ndarray:
    """The first configuration knows the label of near pairs and nothing of far ones; the second one the distance."""
    noise = np.random.default_rng([seed, len(config)]).normal(size=120)
    return np.where(DISTANCE < 10_000, 5.0 * LABEL, 0.0) + noise if config == "aaa111" else -DISTANCE / 1000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of real pairs with predictions and distances, one pair of them on two chromosomes; read only."""
    folder = write_run(tmp_path_factory.mktemp("apart") / "run", COPIES, seeds=SEEDS)
    (folder / PROVENANCE).write_text(json.dumps({"data": {"origin": "somewhere/epi"}}), encoding="utf-8")
    pairs = [
        {"split": "val_unseen", "pair": at, "cell_line": str(LINE[at]), "label": int(LABEL[at])}
        for at in range(120)
    ]
    apart = [{**row, "fold": "chr8", "distance": int(gap)} for row, gap in zip(pairs, DISTANCE, strict=True)]
    across = {**apart[0], "pair": 120, "distance": None}
    write(folder, "pairs", "chr8.parquet", [*apart, across])
    for copy in COPIES:
        for seed in SEEDS:
            unit = {"config": copy.config, "fold": "chr8", "seed": seed}
            score = logits(copy.config, seed)
            rows = [{**row, **unit, "logit": float(each)} for row, each in zip(pairs, score, strict=True)]
            tested = {**rows[0], "split": "test", "logit": 99.0}
            lone = {**rows[0], "pair": 120, "logit": 99.0}
            write(folder, "predictions", f"{copy.config}-chr8-{seed}.parquet", [*rows, tested, lone])
    return folder


def test_rows_are_means_over_seeds_of_each_bin(run: Path) -> None:
    told = distance_figures(rank(Run.open(run)))
    rows = {
        (str(name), column): float(told.rows[column][name])
        for name in told.rows.index
        for column in told.rows
    }
    assert list(told.rows.columns) == [WHOLE, NEAR, "25-50", MATCHED]
    names = {
        row["config"]: f"{row['rank']} {row['short']} {row['label']}"
        for row in rank(Run(run)).configurations.to_dict("records")
    }
    for config, name in names.items():
        # The store keeps 32 bits.
        scores = [logits(config, seed).astype(np.float32) for seed in SEEDS]
        bins = [by_distance(score, LABEL, LINE, DISTANCE) for score in scores]
        assert rows[name, NEAR] == pytest.approx(np.mean([each[0].aupr for each in bins]))
        assert rows[name, "25-50"] == pytest.approx(np.mean([each[1].aupr for each in bins]))
        expected = np.mean([matched_aupr(score, LABEL, LINE, DISTANCE) for score in scores])
        assert rows[name, MATCHED] == pytest.approx(expected)
    assert rows[names["aaa111"], NEAR] > 0.99 > rows[names["aaa111"], "25-50"]
    assert rows[names["bbb222"], WHOLE] == pytest.approx(rows[NEARER, WHOLE])
    assert told.pairs[[WHOLE, NEAR, "25-50", "500-1000"]].tolist() == [120, 60, 60, 0]
    assert told.positive[NEAR] == pytest.approx(LABEL[:60].mean())


def test_the_ranking_of_real_pairs_has_it(run: Path) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    print_ranking(run, console=console)
    text = console.export_text()
    assert "By distance: macro AUPR on val_unseen" in text
    assert NEARER in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.fixture(scope="module")
def wide(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run with pairs in every bin, and settings that have no room beside ten columns."""
    folder = Path(shutil.copytree(run, tmp_path_factory.mktemp("wide") / "run"))
    named = tuple(
        replace(
            copy,
            changes={"energy.form": form, "loss.contrastive.weight": 0.1 * at, "temperature.mode": "fixed"},
        )
        for at, (copy, form) in enumerate(zip(COPIES, ("interaction", "boosted_gate"), strict=True), start=1)
    )
    write_run(folder, named, seeds=SEEDS)
    near = [
        {"split": "val_unseen", "pair": at, "cell_line": str(LINE[at]), "label": int(LABEL[at])}
        for at in range(120)
    ]
    spread = [{**row, "fold": "chr8", "distance": EDGES[at % len(EDGES)] + 1} for at, row in enumerate(near)]
    write(folder, "pairs", "chr8.parquet", spread)
    return folder


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [80, 120])
def test_eight_bins_fit_with_their_ends_and_names(wide: Path, width: int, lang: str) -> None:
    console = Console(width=width, file=io.StringIO(), markup=False, emoji=False, highlight=False)
    for part in translated(distance_view(rank(Run.open(wide))), catalogue(lang)):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= width
    _, positive, nearer, first, second = (each for each in rows_of(lines) if each)
    numbers = [
        re.findall(r"(?<![\d.])\d\.\d{3}(?!\d)", " ".join(each)) for each in (positive, nearer, first, second)
    ]
    known = distance_figures(rank(Run.open(wide))).rows.notna().sum(axis=1)
    assert [len(each) for each in numbers] == [9, *known], "none is cut"
    assert min(known) > 3
    assert max(len(first), len(second)) <= 2, "lines of a name"


def rows_of(lines: list[str]) -> Iterator[list[str]]:
    """Lines of each row of the table: a row begins where a first column does that no name goes on in."""
    rule = next(at for at, line in enumerate(lines) if set(line.strip()) == {"─"})
    row: list[str] = []
    for line in lines[rule + 1 : rule + 12]:
        if not line.strip() or (len(row) and re.match(r"(\d \w{6} |nearer|positive|阳性|越近)", line)):
            yield row
            row = []
        row.append(line)


def test_a_synthetic_run_has_it_where_it_is_asked_for(
    run_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(distance_view(rank(Run.open(run_path)))) == []
    assert main([str(run_path), "--distance"]) == 0
    assert "by distance: not stored by this run" in capsys.readouterr().out
