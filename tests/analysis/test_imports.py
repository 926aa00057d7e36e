"""Results of others as a run: the documented record points raise what the documents say, and nothing else."""

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.duplicates import copies
from analysis.effects import compare
from analysis.errors import UserError
from analysis.flags import survey
from analysis.imports.rows import identity
from analysis.imports.table_file import decimals
from analysis.ranking import rank
from analysis.reported import configuration_changes
from analysis.store import Run
from analysis.verdict import verdict
from tests.analysis.documented_results import DOCUMENTED, Documented

SHARED = Path(__file__).parents[3] / "shared"
POINTS = SHARED / "data" / "record_points"
DOCS = Path(__file__).parents[2] / "docs"
real = pytest.mark.skipif(
    not POINTS.is_dir(), reason="the record points (../shared/data) are not on this machine"
)
Import = Callable[..., Run]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Imports CSV texts, one file each, with options, as a run."""

    def run(*texts: str, options: tuple[str, ...] = ()) -> Run:
        files = [tmp_path / f"file{at}.csv" for at in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, encoding="utf-8")
        assert main(["import", *map(str, files), "--out", str(tmp_path / "run"), *options]) == 0
        return Run.open(tmp_path / "run")

    return run


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("points") / "documented"
    assert (
        main(["import", *map(str, sorted(POINTS.glob("*.csv"))), "--prevalence", "0.5", "--out", str(out)])
        == 0
    )
    return Run.open(out)


@pytest.fixture(scope="module")
def warnings(documented: Run) -> pd.DataFrame:
    findings = survey(documented).findings
    names = {config: change["name"] for config, change in configuration_changes(documented).items()}
    return findings.assign(point=findings["config"].map(names))


@real
@pytest.mark.parametrize("row", DOCUMENTED, ids=lambda row: f"{row.point}-{row.rule}")
def test_a_documented_warning_is_raised(row: Documented, warnings: pd.DataFrame) -> None:
    raised = warnings[(warnings["point"] == row.point) & (warnings["rule"] == row.rule)]
    if row.line is not None:
        raised = raised[raised["cell_line"] == row.line]
    assert any(abs(value - row.value) < 1e-4 for value in raised["value"]), raised["value"].tolist()


@real
@pytest.mark.parametrize("row", DOCUMENTED, ids=lambda row: f"{row.point}-{row.rule}")
def test_a_quoted_sentence_stands_in_the_document(row: Documented) -> None:
    places = (SHARED / "seeds", f"{row.source}_*"), (POINTS, f"{row.source}.csv"), (DOCS, f"{row.source}.md")
    (file,) = [file for folder, pattern in places for file in folder.glob(pattern)]
    assert row.quote in file.read_text(encoding="utf-8")


@real
def test_record_points_raise_nothing_that_their_numbers_do_not(warnings: pd.DataFrame) -> None:
    raised = {str(rule): set(part["point"]) for rule, part in warnings.groupby("rule")}
    limits = {
        "overfit_train": {"rp15", "rp16", "rp22", "rp24", "rp25", "rp26", "rp27"},
        "generalisation_gap": {"rp15", "rp24", "rp25"},
        "threshold_high": {"rp05", "rp24"},
        "threshold_low": {"rp07", "rp08", "rp09", "rp11", "rp12", "rp13", "rp25"},
        "mode_collapse": {"rp08", "rp09"},
        "negative_loss": {"rp25"},
        "duplicate_results": {"rp08", "rp09", "rp12", "rp13"},
        "train_spike": {"rp25"},
        "not_learning": {"rp08", "rp09", "rp11"},
    }
    assert {rule: points for rule, points in raised.items() if points - limits.get(rule, points)} == {}
    assert "loose_boundary" in raised
    assert not {"cross_attn", "rp02", "rp10", "rp11", "rp12"} & raised["loose_boundary"]


@real
def test_record_points_are_ranked_as_the_documents_have_them(documented: Run) -> None:
    table = rank(documented).configurations
    assert list(table["label"][:5]) == ["rp06", "rp04", "rp05", "rp15", "rp24"]
    values = dict(zip(table["label"], table["value"], strict=True))
    assert values["rp04"] == pytest.approx(0.7014, abs=5e-5)
    assert values["rp12"] == pytest.approx(0.666, abs=5e-4)
    assert {"rp16", "rp22"}.isdisjoint(values), "they have no AUPR of unseen pairs"


def test_one_cell_line_has_one_spelling(tmp_path: Path) -> None:
    files = tmp_path / "a.csv", tmp_path / "b.csv"
    files[0].write_text("name,cell_line,aupr\nours,K562,0.7\n", encoding="utf-8")
    files[1].write_text("name,cell_line,aupr\ntheirs,HepG2,0.6\ntheirs,k-562,0.7\n", encoding="utf-8")
    said = (
        r"^.*b\.csv, row 2: cell line 'k-562' is 'K562' in another spelling \(.*a\.csv, row 1\); expected one"
    )
    with pytest.raises(UserError, match=said):
        main(["import", *map(str, files), "--out", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists()
    scores = tmp_path / "scores.csv"
    rows = [f"p,{line},{at % 2},{at / 9}" for at, line in enumerate(["K562", "K562", "k562", "k562"])]
    scores.write_text("\n".join(["predictor,cell_line,label,score", *rows]), encoding="utf-8")
    with pytest.raises(UserError, match=r"row 3: cell line 'k562' is 'K562' in another spelling"):
        main(["import-predictions", str(scores), "--out", str(tmp_path / "theirs")])


def test_other_cell_lines_are_compared_to_none(imported: Import, capsys: pytest.CaptureFixture[str]) -> None:
    lines = {"ours": "AB", "theirs": "AB", "easy": "C", "part": "A"}
    value = {"A": 0.6, "B": 0.7, "C": 0.95}
    rows = [
        f"{name},{seed},{line},{value[line] + 0.01 * seed + 0.02 * (name == 'ours')}"
        for name, of_name in lines.items()
        for line in of_name
        for seed in range(3)
    ]
    rows += [f"pooled,{seed},,0.5" for seed in range(3)]
    rows += [f"mixed,{seed},{'AB'[at]},0.9" for seed in range(3) for at in range(1 + (seed < 2))]
    run = imported("name,seed,cell_line,aupr\n" + "\n".join(rows))
    table = rank(run).configurations.set_index("label")
    assert list(table.index) == ["ours", "theirs", "easy", "mixed", "part", "pooled"]
    told = table["other_lines"].to_dict()
    assert (told["ours"], told["theirs"]) == ("", "")
    assert told["pooled"].startswith(
        "of all pairs together: of which cell lines is not known; no mean over cell lines"
    )
    assert told["easy"] == "measured on C, the compared ones on A + B: compared to none"
    assert told["mixed"] == "its seeds were measured on different cell lines: compared to none"
    assert told["part"] == "measured on A, the compared ones on A + B: compared to none"
    better, tie, difference = (table[column].to_dict() for column in ("p_better", "tie", "difference"))
    for name in ("easy", "mixed", "part", "pooled"):
        assert (tie[name], math.isnan(better[name]), math.isnan(difference[name])) == ("apart", True, True)
    assert 0 <= better["theirs"] < 0.5
    capsys.readouterr()
    assert main([str(run.path)]) == 0
    assert "measured on C, the compared ones on A + B" in " ".join(capsys.readouterr().out.split())


def test_nobody_planned_the_seeds_of_others(imported: Import, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        f"{name},{seed},{line},{0.6 + 0.01 * seed}" for name in "ab" for seed in range(3) for line in "AB"
    ]
    run = imported("name,seed,cell_line,aupr\n" + "\n".join([*rows, "one,0,A,0.9", "one,0,B,0.9"]))
    ranking = rank(run)
    table = ranking.configurations.set_index("label")
    assert set(table.index[:2]) == {"a", "b"}
    assert table.loc["one", "other_lines"] == "fewer seeds than others: ranked after them"
    assert table["complete"].all()
    assert table.loc["one", "behind"] == 1
    assert ranking.left_out == {}
    assert (ranking.counts.planned, ranking.counts.to_come) == (7, 0)
    capsys.readouterr()
    assert main(["report", str(run.path)]) == 0
    assert "unfinished run" not in (run.path / "report.html").read_text(encoding="utf-8")


def test_lines_of_an_earlier_epoch_do_not_count(imported: Import) -> None:
    rows = [f"{name},{seed},{epoch},{line},{0.6 + 0.1 * (line == 'B')}" for name in ("m", "o") for seed in (0, 1)
            for epoch in (1, 2) for line in ("AB" if name == "m" or epoch == 1 else "B")]  # fmt: skip
    run = imported("name,seed,epoch,cell_line,aupr\n" + "\n".join(rows))
    table = rank(run).configurations.set_index("label")
    assert list(table.index) == ["m", "o"]
    assert table["other_lines"].to_dict()["o"].startswith("measured on B, the compared ones on A + B")


def test_what_is_complete_says_which_lines_are_compared(imported: Import) -> None:
    rows = [f"{name},{seed},{line},0.7" for name in ("m1", "m2") for seed in range(3) for line in "AB"]
    rows += [f"{name},{seed},C,0.9" for name in ("e1", "e2", "e3") for seed in range(2)]
    table = rank(imported("name,seed,cell_line,aupr\n" + "\n".join(rows))).configurations
    assert set(table["label"][:2]) == {"m1", "m2"}
    assert (table["tie"][2:] == "apart").all()


def test_a_baseline_of_other_pairs_is_no_measure(tmp_path: Path) -> None:
    rows = [
        f"{name},{line},{at % 2},{(at * 7 % 10) / 10 + 0.3 * (at % 2)},chr{at % 4}:{9000 * at}-{9000 * at + 500},"
        f"chr{at % 4}:900000-900500"
        for name, lines in {"near": ["K1"], "too": ["K1"], "far": ["K2", "K3"]}.items()
        for line in lines
        for at in range(20)
    ]
    file = tmp_path / "scores.csv"
    file.write_text("\n".join(["predictor,cell_line,label,score,enhancer,promoter", *rows]), encoding="utf-8")
    assert main(["import-predictions", str(file), "--out", str(tmp_path / "run")]) == 0
    ranking = rank(Run.open(tmp_path / "run"))
    assert list(ranking.configurations["tie"]).count("apart") == 1
    (name,) = ranking.baselines["baseline"]
    assert name == "distance (of other cell lines)"
    assert verdict(ranking).baselines == 0
    run = Run.open(tmp_path / "run")
    with pytest.raises(
        UserError, match="near and far are no comparison: one was measured on K1, the other on K2 \\+ K3"
    ):
        compare(run, "import.name", "near", "far", metric="aupr")


LINES = ("A", "B", "C", "D", "E", "F", "G", "H")


def _results(shift: float = 0.0, digits: int = 4, names: str = "ab", last: float = 0.0) -> str:
    """Two names with AUPR and AUC in eight cell lines; the second's are shifted, and its last AUC is by `last` more."""
    rows = ["name,cell_line,aupr,auc,recall"]
    for which, name in enumerate(names):
        for at, line in enumerate(LINES):
            aupr, auc = 0.61234567 + 0.0123 * at + which * shift, 0.6 + 0.0091 * at + which * shift
            auc += which * last * (at == 7)
            rows.append(f"{name},{line},{aupr:.{digits}f},{auc:.{digits}f},1.0000")
    return "\n".join(rows)


def test_two_names_with_the_same_numbers_are_copies(imported: Import) -> None:
    run = imported(_results())
    (copy,) = copies(run)
    assert set(copy.configs) == {identity("a"), identity("b")}
    assert (copy.numbers, copy.metrics, copy.lines, copy.decimals) == (16, ("aupr", "auc"), 8, 4)
    findings = survey(run).findings
    assert set(findings["config"][findings["rule"] == "duplicate_results"]) == set(copy.configs)
    assert "identical as reported to b: 16 numbers" in " ".join(findings["evidence"])


@pytest.mark.parametrize(
    "text",
    [
        _results(shift=1e-5, digits=6),  # the same to 4 decimals, and not to 6
        _results(digits=2),
        _results(last=0.0001),
        "\n".join(_results().splitlines()[:8] + _results().splitlines()[9:16]),  # 7 lines of both: 14 numbers
        "name,cell_line,aupr,auc\n" + "\n".join(f"{n},{c},0.5000,0.5000" for n in "ab" for c in LINES),
    ],
    ids=["round-alike", "two-decimals", "one-differs", "too-few", "constant"],
)
def test_numbers_that_are_no_copies(text: str, imported: Import) -> None:
    assert copies(imported(text)) == []


def test_seeds_count_and_one_that_differs_is_no_copy(imported: Import) -> None:
    rows = [f"{n},{s},0.{7000 + 13 * s},0.{6000 + 7 * s},0.{5000 + 3 * s}" for n in "ab" for s in range(5)]
    run = imported("model,seed,aupr,auc,f1\n" + "\n".join(rows))
    assert [copy.numbers for copy in copies(run)] == [15]
    assert rank(run).configurations["seeds"].tolist() == [5, 5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,aurp\na,0.5\n", "unknown column 'aurp'; did you mean 'aupr'?"),
        ("name,cell_line\na,K562\n", "has no metric"),
        ("name,aupr\na,0.5\nb,high\n", "row 2, column 'aupr': 'high' is not a number from 0 to 1"),
        ("name,aupr\na,70.1\n", "row 1, column 'aupr': '70.1' is not a number from 0 to 1"),
        ("name,aupr\n,0.5\n", "row 1: column 'name' is empty"),
        ("name,aupr\na,0.5\na,0.6\n", "row 2: a is in row 1 already"),
        ("name,aupr,n,positives\na,0.5,10,10\nb,0.5,10,20\n", "row 2: 20 positives of 10 pairs"),
        ("name,seed,aupr\na,x,0.5\n", "row 1, column 'seed': 'x' is no whole number from 0 on"),
        ("name,epoch,aupr\na,0,0.5\n", "row 1, column 'epoch': '0' is no whole number from 1 on"),
        ("name,aupr,average_precision\na,0.5,0.5\n", "columns 'aupr' and 'average_precision' are both aupr"),
        ("name,aupr,aupr\na,0.5,0.5\n", "column 'aupr' is there twice"),
        ("name,aupr\n", "has no rows"),
        ("", "cannot be read as a table"),
        (
            "name;aupr\na;0,5\n",
            "its columns are kept apart by semicolons; expected commas, or a file .tsv with tabs",
        ),
        ("name,aupr\na,0,5\n", "line 2: 3 cells, and the header has 2"),
    ],
)
def test_a_wrong_file_is_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        main(["import", str(file), "--out", str(tmp_path / "run")])
    assert said in str(error.value)
    assert str(file) in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file.csv"], "nothing is written"


def test_contradicting_files_and_occupied_folders_are_refused(tmp_path: Path) -> None:
    one, other, out = tmp_path / "one.csv", tmp_path / "other.csv", tmp_path / "run"
    one.write_text("name,cell_line,aupr\na,K562,0.5\n", encoding="utf-8")
    other.write_text("name,cell_line,aupr\na,K562,0.6\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"another row has 0\.5"):
        main(["import", str(one), str(other), "--out", str(out)])
    with pytest.raises(UserError, match=r"no such file; did you mean 'one\.csv'"):
        main(["import", str(tmp_path / "onee.csv"), "--out", str(out)])
    assert main(["import", str(one), "--out", str(out)]) == 0
    with pytest.raises(UserError, match="is there already"):
        main(["import", str(one), "--out", str(out)])


def test_epochs_and_a_file_without_names_join_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("name,aupr,train_aupr\nm1,0.61,0.97\n", encoding="utf-8")
    (tmp_path / "m1_epochs.csv").write_text(
        "epoch,total_loss,train_aupr\n1,0.5,0.70\n2,-0.1,0.97\n", encoding="utf-8"
    )
    files = [str(tmp_path / name) for name in ("table.csv", "m1_epochs.csv")]
    assert main(["import", *files, "--out", str(tmp_path / "run")]) == 0
    run = Run.open(tmp_path / "run")
    assert run.table("epochs")["train_aupr"].tolist() == [0.70, 0.97]
    assert run.table("units")["selected_epoch"].tolist() == [2]
    findings = survey(run).findings.set_index("rule")
    assert findings.loc["overfit_train", "epoch"] == 2
    assert findings.loc["negative_loss", "value"] == -0.1


def test_what_has_no_epoch_is_of_no_first_epoch(imported: Import) -> None:
    finding = (
        survey(imported("name,train_aupr,aupr\na,0.99,0.6\n")).findings.set_index("rule").loc["overfit_train"]
    )
    assert finding["epoch"] > 1000
    assert "at its end" in finding["evidence"]


def test_decimals_are_those_that_were_written() -> None:
    assert [decimals(text) for text in ("0.0500", "1", "1.5e-2", "12.", "1e3")] == [4, 0, 3, 0, 0]


def test_single_precision_in_parquet_has_its_own_digits(tmp_path: Path) -> None:
    frame = pd.DataFrame({"name": ["a"], "cell_line": ["K562"], "aupr": pd.Series([0.6967], dtype="float32")})
    frame.to_parquet(tmp_path / "file.parquet")
    assert main(["import", str(tmp_path / "file.parquet"), "--out", str(tmp_path / "run")]) == 0
    assert rank(Run.open(tmp_path / "run")).configurations["value"].tolist() == [0.6967]
