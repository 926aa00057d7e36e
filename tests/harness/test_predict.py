"""`python -m harness.predict`: the scores that a run stored, new cell lines, exported models, and mistakes."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from analysis.ranking import rank
from analysis.store import Run
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.predict.command import main
from tests.harness.command import command
from tests.harness.conftest import replicates_of
from tests.harness.new_pairs import bases, write_folder, write_genome

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "calibrated": {
        "energy.form": "interaction",
        "temperature.mode": "calibrated",
        "environment.teacher.kind": "ema",
    },
    "features": {"environment.source": "features"},
}


@pytest.fixture(scope="module")
def trained(tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each of `CONFIGURATIONS` with one seed, the first with two."""
    folder = tmp_path_factory.mktemp("trained")
    make = replicates_of(tiny_dataset, tiny_fold, folder)
    for name, changes in CONFIGURATIONS.items():
        for seed in (0, 1) if name == "calibrated" else (0,):
            unit_run = make({**changes, "optimiser.epochs": 1}, seed=seed, run=name, inspector=None)
            while not unit_run.finished:
                unit_run.advance()
    return folder


def configuration(run: Path) -> str:
    return str(pq.read_table(run / "units")["config"][0].as_py())


def predicted(out: Path, *arguments: object) -> pd.DataFrame:
    """The predictions that a command which goes well writes."""
    ended = command("harness.predict", *arguments, "--out", out)
    assert ended.returncode == 0
    assert all(line.startswith("warning: ") for line in ended.stderr.splitlines())
    head = out.read_text().splitlines()[: ended.stderr.count("\n")]
    assert head == [f"# {line}" for line in ended.stderr.splitlines()]
    return pd.read_csv(out, sep="\t", skiprows=len(head))


def refused(*arguments: object) -> str:
    ended = command("harness.predict", *arguments)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    return ended.stderr


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_pairs_of_the_run_get_their_stored_logits(
    name: str, trained: Path, tmp_path: Path, tiny_dataset: EncodedDataset, tiny_fold: Fold
) -> None:
    pairs = split(tiny_dataset, tiny_fold).test
    folder = write_folder(tmp_path / "new", tiny_dataset, pairs)
    run = trained / name
    stored = pq.read_table(run / "predictions").to_pandas()
    for seed in sorted(set(stored["seed"])):
        rows = stored[(stored["split"] == "test") & (stored["seed"] == seed)].set_index("pair").loc[pairs]
        unit = f"{configuration(run)}-{tiny_fold.id}-{seed}"
        table = predicted(tmp_path / "out.tsv", run, unit, "--pairs", folder)
        for column in ("logit", "u", "r"):
            np.testing.assert_allclose(table[column], rows[column], rtol=1e-6, atol=1e-6)
        assert table["sd_units"].isna().all()
        assert (table["sd_draws"] > 0).any() or name == "features", "R_E of features needs no support"


def test_a_new_cell_line_is_scored_from_bedpe_and_genome(trained: Path, tmp_path: Path) -> None:
    run = trained / "calibrated"
    write_genome(tmp_path / "genome.fa", {"1": bases(20_000), "X": bases(9_000, 1)})
    lines = [f"chr1\t{at}\t{at + 80}\tchrX\t{at}\t{at + 100}\tloop{at}\t0" for at in range(100, 2100, 100)]
    (tmp_path / "new.bedpe").write_text("\n".join(lines) + "\n")
    asked = (
        run,
        configuration(run)[:4],
        "--pairs",
        tmp_path / "new.bedpe",
        "--fasta",
        tmp_path / "genome.fa",
    )
    table = predicted(tmp_path / "out.tsv", *asked, "--cell-line", "HepG2", "--draws", "5")
    assert len(table) == 20
    assert set(table["cell_line"]) == {"HepG2"}
    assert table["enhancer"][0] == "chr1:100-180"
    assert (table["units"] == 2).all()
    assert table["probability"].between(0, 1).all()
    assert (table["sd_units"] > 0).all()
    rarer = predicted(tmp_path / "rare.tsv", *asked, "--cell-line", "HepG2", "--prevalence", "0.01")
    assert (rarer["probability"] < table["probability"]).all()
    np.testing.assert_allclose(rarer["logit"], table["logit"], atol=1e-6)
    places = predicted(tmp_path / "out.bedpe", *asked, "--cell-line", "HepG2", "--draws", "5")
    assert list(places.columns[:8]) == [
        "#chrom1",
        "start1",
        "end1",
        "chrom2",
        "start2",
        "end2",
        "name",
        "score",
    ]
    np.testing.assert_allclose(places["score"], table["probability"], rtol=1e-8)
    assert (places["#chrom1"].iloc[0], places["start1"].iloc[0], places["end2"].iloc[0]) == ("chr1", 100, 200)


def test_repeats_and_almost_known_names_are_said(
    trained: Path, tmp_path: Path, tiny_dataset: EncodedDataset, tiny_fold: Fold
) -> None:
    run = trained / "calibrated"
    known = next(n for n in tiny_dataset.cell_lines if n not in {*tiny_fold.test, *tiny_fold.val})
    write_genome(tmp_path / "genome.fa", {"1": bases(3000)})
    places = [f"chr1\t{at}\t{at + 80}\tchr1\t{at}\t{at + 100}" for at in (100, 200, 300, 100)]
    labelled = [f"{place}\tloop\t0\t.\t.\t{label}" for place, label in zip(places, "0001", strict=True)]
    (tmp_path / "new.bedpe").write_text("\n".join(labelled) + "\n")
    console = Console(file=io.StringIO(), width=200, record=True)
    words = (run, configuration(run), "--pairs", tmp_path / "new.bedpe", "--fasta", tmp_path / "genome.fa")
    asked = [*words, "--cell-line", known.lower(), "--out", tmp_path / "out.tsv"]
    assert main([str(word) for word in asked], console) == 0
    said = console.export_text()
    assert (
        "1 rows with enhancer, promoter and cell line of an earlier one, whatever labels the two have" in said
    )
    assert (
        f"cell line {known.lower()} is scored as a new one, and the units were trained on one that is spelt {known}"
        in said
    )
    assert "trained on, and therefore no new cell line" not in said
    asked[asked.index("--cell-line") + 1] = known
    assert main([str(word) for word in asked], console) == 0
    said = " ".join(console.export_text().split())
    assert f"trained on, and therefore no new cell line: {known} " in said
    assert "on chromosomes that units were trained on" not in said


def test_pairs_of_trained_loci_are_said(
    trained: Path, tmp_path: Path, tiny_dataset: EncodedDataset, tiny_fold: Fold
) -> None:
    parts = split(tiny_dataset, tiny_fold)
    pairs = np.concatenate([parts.train[:6], parts.test[:2]])
    folder, run = write_folder(tmp_path / "new", tiny_dataset, pairs), trained / "calibrated"
    console = Console(file=io.StringIO(), width=200, record=True)
    words = (run, configuration(run), "--pairs", folder, "--out", tmp_path / "out.tsv")
    assert main([str(word) for word in words], console) == 0
    said = " ".join(console.export_text().split())
    held = ", ".join(sorted(tiny_fold.chromosomes))
    assert f"6 of 8 pairs on chromosomes that units were trained on (held out of all: {held})" in said


def test_mistakes_are_one_sentence_and_write_nothing(trained: Path, tmp_path: Path) -> None:
    run, out = trained / "calibrated", tmp_path / "out.tsv"
    config = configuration(run)
    (tmp_path / "new.bedpe").write_text("chr1\t0\t80\tchr1\t100\t200\n")
    asked = (run, config, "--pairs", tmp_path / "new.bedpe", "--out", out)
    assert "holds regions, and no sequences: give --fasta" in refused(*asked)
    write_genome(tmp_path / "genome.fa", {"chr1": bases(150)})
    genome = ("--fasta", tmp_path / "genome.fa")
    assert "the cell_line in column 7 (name)" in refused(*asked, *genome)
    beyond = refused(*asked, *genome, "--cell-line", "HepG2")
    assert "promoter chr1:100-200 ends beyond chr1" in beyond
    assert "lifted over or mixed" in beyond
    assert "no configuration" in refused(run, "nothing", *asked[2:])
    assert "ends in .tsv or .bedpe" in refused(*asked[:-1], tmp_path / "out.csv")
    assert "reads features of the cell lines" in refused(
        trained / "features", configuration(trained / "features"), *asked[2:-1], out, "--cell-line", "A",
        "--fasta", write_genome(tmp_path / "long.fa", {"chr1": bases(300)}),
    )  # fmt: skip
    assert not out.exists()


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_an_exported_model_scores_as_its_run(
    name: str, trained: Path, tmp_path: Path, tiny_dataset: EncodedDataset, tiny_fold: Fold
) -> None:
    folder = write_folder(tmp_path / "new", tiny_dataset, split(tiny_dataset, tiny_fold).val_unseen)
    run, model = trained / name, tmp_path / "model"
    done = command("harness.runs", "export-model", run, configuration(run), "--out", model)
    assert done.returncode == 0
    of_run = predicted(tmp_path / "run.tsv", run, configuration(run), "--pairs", folder)
    of_model = predicted(tmp_path / "model.tsv", "--model", model, "--pairs", folder)
    pd.testing.assert_frame_equal(of_run, of_model, check_exact=True)
    card = (model / "README.md").read_text()
    assert bool(done.stderr) == (name == "calibrated"), "that one has collapsed"
    assert all(f"> **{line.replace(': ', '**: ', 1)}" in card for line in done.stderr.splitlines())
    row = rank(Run.open(run), "pooled_aupr").configurations.iloc[0]
    assert f"| pooled AUPR | {row['value']:.3f} |" in card
    for text in (
        "trained on C",
        "seeds 0",
        "## Warnings",
        "It was not audited.",
        "## Licence",
        "harness.predict --model",
    ):
        assert text in card
    settings = (model / "model.yaml").read_text()
    (model / "model.yaml").write_text(settings.replace("draws: 3", "draws: 2"))
    assert "a trained model cannot be edited" in refused(
        "--model", model, "--pairs", folder, "--out", tmp_path / "o.tsv"
    )
    (model / "model.yaml").write_text(settings)
    (weights,) = model.glob("weights.*")
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    said = refused("--model", model, "--pairs", folder, "--out", tmp_path / "o.tsv")
    assert "is not the file that model.yaml was written with" in said
    again = command("harness.runs", "export-model", run, configuration(run), "--out", model)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)


def test_weights_that_are_gone_are_a_sentence_on_keeping_them(trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained / "features", tmp_path / "run")
    pruned = command("harness.runs", "prune", run)
    assert pruned.returncode == 0
    said = refused(run, configuration(run), "--pairs", tmp_path, "--out", tmp_path / "out.tsv")
    assert "is not there; weights stay in RUN/checkpoints until python -m harness.runs prune" in said
