"""Exports: whose means they have, what waits, and every mistake in a sentence."""

import csv
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.errors import UserError
from analysis.export.configuration_run import UnitSummary, tracked_configuration
from analysis.export.csv_table import CsvTable
from analysis.export.exporter import Exporter
from analysis.export.state import ExportSource, State
from analysis.folds import corrected_interval
from analysis.intervals import t_interval
from analysis.ranking import rank
from analysis.schema import LOCK
from analysis.store import Run
from tests.recorded.copies import COPIES, Copy, write, write_run, write_unit

METRIC = "val_unseen/macro/aupr"


def rows(out: Path, name: str) -> dict[str, dict[str, str]]:
    """Rows of a CSV by key."""
    with (out / f"{name}.csv").open(encoding="utf-8") as stream:
        return {row["key"]: row for row in csv.DictReader(stream)}


def exported(run: Path, out: Path) -> Any:
    """Export to CSV; how much that was."""
    exporter = Exporter(run, "csv", out)
    try:
        exporter.whole()
    finally:
        exporter.close()
    return exporter.exported


def summary(
    fold: str, seed: int, value: float | None, status: str = "done", counts: bool = True
) -> UnitSummary:
    """A unit with one metric."""
    finals = {} if value is None else {"final/x": value}
    return UnitSummary(fold, seed, status, counts, finals, {"warnings": ""}, None, None)


def means(*units: UnitSummary) -> dict[str, float]:
    """Finals of a configuration with these units."""
    return dict(tracked_configuration("c", "c", ({}, {}), units, len(units), 0.5).finals)


def test_means_and_intervals_are_those_of_the_ranking(run_path: Path, tmp_path: Path) -> None:
    exported(run_path, tmp_path / "out")
    there = rows(tmp_path / "out", "configurations")
    for by, metric in (
        ("aupr", METRIC),
        ("pooled_aupr", "val_unseen/pooled/aupr"),
        ("nll", "val_unseen/pooled/nll"),
    ):
        ranked = rank(Run.open(run_path), by).configurations.set_index("config")
        assert set(ranked.index) == set(there)
        for config, row in ranked.iterrows():
            values = [float(there[str(config)][f"{end}/{metric}"]) for end in ("final", "low", "high")]
            assert values == pytest.approx([row["value"], row["low"], row["high"]], abs=1e-12)


def test_folds_that_a_seed_lacks_are_left_out_as_in_the_ranking(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", COPIES[:2], folds=("chr8", "chr9"))
    write_unit(run, COPIES[0], 7, "chr8")
    exported(run, tmp_path / "out")
    there = rows(tmp_path / "out", "configurations")["aaa111"]
    ranked = rank(Run.open(run)).configurations.set_index("config").loc["aaa111"]
    assert float(there[f"final/{METRIC}"]) == pytest.approx(ranked["value"], abs=1e-12)
    assert float(there[f"low/{METRIC}"]) == pytest.approx(ranked["low"], abs=1e-12)


def test_means_by_hand() -> None:
    values = {("a", 0): 0.5, ("a", 1): 0.7, ("b", 0): 0.1, ("b", 1): 0.3}
    there = means(*(summary(fold, seed, value) for (fold, seed), value in values.items()))
    seeds, folds = t_interval([0.3, 0.5]), corrected_interval([0.6, 0.2], 0.5)
    assert there == pytest.approx(
        {
            "final/x": 0.4,
            "low/x": seeds.low,
            "high/x": seeds.high,
            "fold_low/x": folds.low,
            "fold_high/x": folds.high,
        }
    )


def test_seeds_without_a_common_fold_have_a_mean_and_no_interval() -> None:
    units = (summary("a", 0, 0.5), summary("b", 1, 0.1))
    assert means(*units) == pytest.approx({"final/x": 0.3})
    assert (
        tracked_configuration("c", "c", ({}, {}), units, len(units), 0.5)
        .tags["interval"]
        .startswith("none: ")
    )


def test_one_seed_has_no_interval_and_a_missing_metric_no_mean() -> None:
    assert means(summary("a", 0, 0.5)) == {"final/x": 0.5}
    assert means(summary("a", 0, None)) == {}
    assert means(summary("a", 0, 0.5), summary("a", 1, None)) == {"final/x": 0.5}


def test_units_without_a_result_count_for_nothing() -> None:
    units = (summary("a", 0, 0.5), summary("a", 1, 0.1, "failed", counts=False))
    run = tracked_configuration("c", "c", ({}, {}), units, 2, 0.5)
    assert run.finals == {"final/x": 0.5}
    assert (run.tags["units"], run.status) == ("1 of 2", "incomplete")


def test_what_the_audit_stopped_is_tracked_and_no_part_of_a_mean(tmp_path: Path) -> None:
    accused = Copy("bad", status="stopped", unit={"reason": "audit: M22 support is inert"}, lift=0.3)
    run = write_run(tmp_path / "run", [COPIES[0]])
    write_unit(run, dataclasses.replace(accused, config="aaa111", changes=COPIES[0].changes), 2)
    exported(run, tmp_path / "out")
    assert rows(tmp_path / "out", "units")["aaa111-chr8-2"]["reason"].startswith("audit: ")
    there = rows(tmp_path / "out", "configurations")["aaa111"]
    assert (there["units"], there["status"]) == ("2 of 3", "incomplete")


def test_a_censored_unit_has_the_metrics_of_its_best_epoch(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [dataclasses.replace(COPIES[0], status="pruned"), COPIES[1]])
    exported(run, tmp_path / "out")
    unit = rows(tmp_path / "out", "units")["aaa111-chr8-0"]
    assert unit["reported"].endswith("its best by macro AUPR on val_unseen")
    there = rows(tmp_path / "out", "configurations")["aaa111"]
    ranked = rank(Run.open(run)).configurations.set_index("config").loc["aaa111"]
    assert float(there[f"final/{METRIC}"]) == pytest.approx(ranked["value"], abs=1e-12)
    assert there["censored"] == "3"


def test_what_the_scheduler_kept_from_beginning_is_no_result(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", COPIES[:1], folds=("chr8", "chr9"))
    pruned = dataclasses.replace(COPIES[1], status="pruned")
    for seed in (0, 1, 2):
        write_unit(run, pruned, seed)
        write_unit(run, dataclasses.replace(pruned, unit={"epochs": 0}), seed, "chr9")
        write(run, "cells", f"bbb222-chr9-{seed}.parquet", [])
    exported(run, tmp_path / "out")
    there = rows(tmp_path / "out", "configurations")
    ranked = rank(Run.open(run)).configurations.set_index("config")
    for config, row in ranked.iterrows():
        said = there[str(config)]
        assert said["units"] == f"{row['units']} of {row['planned']}"
        assert (said["folds"], said["censored"]) == (str(row["folds"]), str(row["censored"]))
        assert (said["status"] == "complete") == row["complete"]
    assert (there["bbb222"]["units"], there["bbb222"]["status"]) == ("3 of 6", "incomplete")


def test_what_could_not_be_read_is_exported_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", COPIES[:2])
    cells = run / "cells" / "aaa111-chr8-1.parquet"
    whole = cells.read_bytes()
    cells.write_bytes(b"")
    command = ["export", str(run), "--to", "csv", "--out", str(tmp_path / "out")]
    assert main(command) == 1
    assert ", 2 of less than the run had: export again" in capsys.readouterr().out
    holes = rows(tmp_path / "out", "units")["aaa111-chr8-1"]
    cells.write_bytes(whole)
    assert main(command) == 0
    assert "1 unit and 1 configuration in" in capsys.readouterr().out
    exported(run, tmp_path / "anew")
    for name in ("units", "configurations"):
        assert rows(tmp_path / "out", name) == rows(tmp_path / "anew", name)
    assert rows(tmp_path / "out", "units")["aaa111-chr8-1"] != holes
    assert exported(run, tmp_path / "out").unchanged == 8


def test_what_is_gone_from_a_tracker_is_written_again(tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run", COPIES[:2]), tmp_path / "out"
    exported(run, out)
    epochs = (out / "epochs.csv").read_bytes()
    (out / "epochs.csv").unlink()
    assert exported(run, out).units == 6
    assert sorted((out / "epochs.csv").read_bytes().splitlines()) == sorted(epochs.splitlines())
    lines = (out / "configurations.csv").read_bytes().splitlines(keepends=True)
    (out / "configurations.csv").write_bytes(b"".join(lines[:2]))
    assert (exported(run, out).configurations, exported(run, out).unchanged) == (1, 8)


def test_a_value_that_was_changed_in_a_csv_is_said(
    run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export", str(run_path), "--to", "csv", "--out", str(tmp_path)]
    assert main(command) == 0
    assert main(command) == 0
    assert "changed since" not in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "epochs.csv", dtype=str, keep_default_na=False)
    table.loc[0, "epochs/loss"] = "0.5"
    table.to_csv(tmp_path / "epochs.csv", index=False)
    assert main(command) == 0
    said = capsys.readouterr().out
    assert (
        f"changed since it was written, and left so: epochs.csv: {table['key'].tolist()[0]}; remove" in said
    )
    assert pd.read_csv(tmp_path / "epochs.csv", dtype=str).loc[0, "epochs/loss"] == "0.5"


def test_a_run_is_known_by_itself_and_not_by_its_name(run_path: Path, tmp_path: Path) -> None:
    renamed = shutil.copytree(run_path, tmp_path / "another-name")
    exported(run_path, tmp_path / "out")
    assert exported(renamed, tmp_path / "out").unchanged == 16
    namesake = shutil.copytree(run_path, tmp_path / run_path.name)
    (namesake / "run.json").write_text(json.dumps({"id": "of its own"}))
    with pytest.raises(UserError, match="holds the export of a run 'recorded' that is another one"):
        exported(namesake, tmp_path / "out")


def test_a_label_that_is_no_longer_unique_is_written_again(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", COPIES[:2])
    exported(run, tmp_path / "out")
    before = rows(tmp_path / "out", "units")["aaa111-chr8-0"]["label"]
    for seed in (0, 1, 2):
        write_unit(run, COPIES[2], seed)
    exported(run, tmp_path / "out")
    exported(run, tmp_path / "anew")
    for name in ("units", "configurations"):
        assert rows(tmp_path / "out", name).keys() == rows(tmp_path / "anew", name).keys()
        for key, row in rows(tmp_path / "anew", name).items():
            assert row["label"] == rows(tmp_path / "out", name)[key]["label"]
    assert rows(tmp_path / "out", "units")["aaa111-chr8-0"]["label"] != before


def test_a_file_of_somebody_else_is_not_written_into(run_path: Path, tmp_path: Path) -> None:
    (tmp_path / "units.csv").write_text("my,own,file\n")
    for _ in range(2):
        with pytest.raises(UserError, match=r"units\.csv is there, and no export wrote it"):
            exported(run_path, tmp_path)
    assert (tmp_path / "units.csv").read_text() == "my,own,file\n"
    assert [path.name for path in tmp_path.iterdir()] == ["units.csv"]


def test_a_unit_that_runs_waits_and_an_interrupted_one_does_not(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [COPIES[0]])
    write_unit(run, dataclasses.replace(COPIES[0], status="running"), 3)
    first = exported(run, tmp_path / "out")
    assert (first.units, first.running) == (3, 1)
    (run / LOCK).touch()
    second = exported(run, tmp_path / "out")
    assert (second.units, second.running) == (1, 0)
    assert rows(tmp_path / "out", "units")["aaa111-chr8-3"]["status"] == "interrupted"
    write_unit(run, COPIES[0], 3)
    third = exported(run, tmp_path / "out")
    assert (third.units, third.replaced) == (1, 2)
    assert rows(tmp_path / "out", "units")["aaa111-chr8-3"]["status"] == "done"


def test_units_that_the_plan_no_longer_asks_for_are_not_exported(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [COPIES[0]])
    (run / "plan.json").write_text(json.dumps({"other_seeds": [2]}))
    assert exported(run, tmp_path / "out").units == 2


def test_values_that_choose_themselves_on_test_are_not_tracked(run_path: Path, tmp_path: Path) -> None:
    exported(run_path, tmp_path / "out")
    header = (tmp_path / "out" / "units.csv").read_text().splitlines()[0]
    assert f"final/u_only/{METRIC}" in header
    assert "branch_select" not in header


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "tensorbord"], "unknown tracker 'tensorbord'; did you mean 'tensorboard'?"),
        (["--to", "csv", "--out", "{file}"], "cannot be written"),
        (
            ["--to", "csv", "--out", "{other}"],
            "holds the export of a run 'other' that is another one; give another --out",
        ),
        (["--to", "csv", "--out", "{broken}"], "this is not the state of an export"),
        (["--to", "csv", "--out", "{data}"], "on other data; give another --out"),
    ],
)
def test_a_mistake_is_one_sentence(
    run_path: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    places = {name: tmp_path / name for name in ("file", "other", "broken", "data")}
    places["file"].touch()
    source = ExportSource.of(Run.open(run_path))
    State(places["other"], "csv", dataclasses.replace(source, run="another", project="other")).close()
    State(places["data"], "csv", dataclasses.replace(source, data="of another")).close()
    places["broken"].mkdir()
    (places["broken"] / ".csv-recorded.jsonl").write_text("[1]\n")
    with pytest.raises(UserError, match=sentence.replace("?", r"\?")):
        main(["export", str(run_path), *(text.format(**places) for text in arguments)])


def test_two_exports_at_once_into_one_folder_are_refused(run_path: Path, tmp_path: Path) -> None:
    first = Exporter(run_path, "csv", tmp_path)
    with pytest.raises(UserError, match="another export is writing there"):
        Exporter(run_path, "csv", tmp_path)
    first.close()
    Exporter(run_path, "csv", tmp_path).close()


def test_an_empty_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run" / "units").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no units to export, the table units is empty$"):
        main(["export", str(tmp_path / "run"), "--to", "csv"])
    (tmp_path / "run" / "units" / "aaa111-chr8-0.parquet").touch()
    with pytest.raises(UserError, match=r"is empty; not read: units/aaa111-chr8-0\.parquet cannot be read"):
        main(["export", str(tmp_path / "run"), "--to", "csv"])
    assert capsys.readouterr().out == ""


def test_the_command_says_what_it_did_and_where(
    run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for said in (
        "exported to csv: 12 units and 4 configurations in ",
        "nothing new to export to csv; 16 are there already",
    ):
        assert main(["export", str(run_path), "--to", "csv", "--out", str(tmp_path / "out")]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith(said)
        assert str(tmp_path / "out") in printed


def test_a_csv_cell_reads_back_as_the_number_that_it_was(tmp_path: Path) -> None:
    values = [0.1, 1e-300, float(np.float32(0.3)), 12345678.9]
    table = CsvTable(tmp_path / "t.csv")
    table.put({str(at): [{"x": value, "text": 'a\nb, "c"'}] for at, value in enumerate(values)})
    with (tmp_path / "t.csv").open(encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert [float(row["x"]) for row in read] == values
    assert {row["text"] for row in read} == {'a b, "c"'}


def test_a_csv_grows_by_columns_and_loses_half_a_line(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    CsvTable(file).put({"a": [{"x": 1}], "b": [{"x": 2}, {"x": 3}]})
    with file.open("a") as stream:
        stream.write("c,")
    table = CsvTable(file)
    table.put({"c": [{"x": 4}]})
    table.put({"b": [{"y": 5}], "d": [{"y": 6, "x": 7}]})
    assert file.read_text().splitlines() == ["key,x,y", "a,1,", "c,4,", "b,,5", "d,7,6"]


def test_no_client_is_imported_before_it_is_needed() -> None:
    clients = "tensorboard", "mlflow", "trackio", "wandb"
    code = f"import sys, analysis.__main__; print([name for name in {clients} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
