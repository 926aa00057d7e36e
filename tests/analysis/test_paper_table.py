"""`python -m analysis table`: the ranking's own figures, what the paragraph states, and text that is no command."""

import re
from pathlib import Path

import pytest

from analysis.paper.methods import methods
from analysis.paper.render import latex, latex_table, markdown_table
from analysis.paper.tables import effects_table, ranking_table
from analysis.ranking import rank
from analysis.store import Run
from tests.analysis.test_arm_effects import NOISE, ablation, removals
from tests.harness.command import command


def cells(line: str) -> list[str]:
    """The cells of a line of a Markdown table."""
    return [cell.strip() for cell in line.strip("| ").split(" | ")]


def test_the_table_has_the_figures_of_the_ranking(run_path: Path) -> None:
    ranking = rank(Run.open(run_path), "pooled_aupr")
    table = ranking_table(ranking)
    assert len(table.rows) == len(ranking.configurations) + len(ranking.baselines)
    for row, ranked in zip(table.rows, ranking.configurations.to_dict("records"), strict=False):
        assert row[0] == ranked["label"]
        assert row[2] == f"{ranked['value']:.3f} [{ranked['low']:.3f}, {ranked['high']:.3f}]"
        assert row[6] == f"{ranked['test_aupr']:.3f}"
    assert table.rows[1][7].startswith(f"{ranking.configurations['difference'].iloc[1]:+.3f} [")
    assert table.rule == len(ranking.configurations)
    assert len(ranking_table(ranking, 2).rows) == 2 + len(ranking.baselines)


def test_the_paragraph_states_folds_seeds_selection_and_tests(run_path: Path) -> None:
    text = methods(rank(Run.open(run_path)))
    for stated in (
        "1 fold (fold0: test C6, validation C4, C5, chromosomes chr1)",
        "4 configurations (grid) had 3 seeds (0, 1, 2) per fold, 12 units in all.",
        "the epoch that was best by val_unseen/macro/aupr was evaluated",
        "test was used to select nothing (selection regret ",
        "95 % Student t over 3 seeds",
        "One fold does not say what holds for new cell lines.",
        "within ±0.005",
        "They are not corrected for the number of configurations.",
    ):
        assert stated in text
    assert "by another criterion" in methods(rank(Run.open(run_path), "nll"))


def test_an_ablation_has_its_effects_beside(tmp_path: Path) -> None:
    lifts = {"b": 0.0, "p": NOISE, "x": tuple(-0.05 + each for each in NOISE), "y": NOISE}
    run = ablation(tmp_path / "run", lifts)
    ranking = rank(run)
    table = effects_table(ranking)
    assert table is not None
    by_arm = {row[0]: row for row in table.rows}
    assert list(by_arm) == ["without x", "without y", "base, other streams"]
    effect = removals(run)["x"]
    assert by_arm["without x"][2].startswith(f"{effect.effect.interval.mean:+.3f} [")
    assert (by_arm["without x"][3], by_arm["without x"][5]) == ("< 0.001", effect.verdict)
    assert by_arm["without y"][5] == removals(run)["y"].verdict
    text = methods(ranking)
    assert "of a family of 2 with Holm's correction" in text
    assert "A/A placebo" in text


def test_a_run_without_arms_has_no_table_of_effects(run_path: Path) -> None:
    assert effects_table(rank(Run.open(run_path))) is None


def test_names_are_no_commands_in_markdown_and_latex(run_path: Path) -> None:
    ranking = rank(Run.open(run_path))
    ranking.configurations.loc[0, "label"] = r"a_b & c|d $x$ 5%"
    table = ranking_table(ranking)
    assert r"a\_b \& c|d \$x\$ 5\%" in latex_table(table)
    assert r"a_b & c\|d $x$ 5%" in markdown_table(table)
    assert latex("±\\") == r"$\pm$\textbackslash{}"
    rows = markdown_table(table).splitlines()[2:]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {10}


@pytest.mark.parametrize(("form", "begins"), [("--markdown", "**Run "), ("--latex", "\\begin{table}")])
def test_the_command_prints_table_and_paragraph(form: str, begins: str, run_path: Path) -> None:
    ended = command("analysis", "table", run_path, form, "--by", "pooled_aupr")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(begins)
    assert "Methods." in ended.stdout
    if form == "--latex":
        inside = ended.stdout.split("\\midrule")[1]
        assert all(line.count("&") - line.count("\\&") == 8 for line in inside.strip().splitlines())


def test_mistakes_of_the_command_are_one_sentence(run_path: Path) -> None:
    for arguments, sentence in (
        ((run_path, "--latex", "--markdown"), "not allowed with argument"),
        ((run_path, "--by", "aupc"), "did you mean 'aupr'?"),
        ((run_path, "--top", "0"), "--top must be at least 1, not 0"),
    ):
        ended = command("analysis", "table", *arguments)
        assert ended.returncode == 2
        assert sentence in ended.stderr
        assert ended.stderr.count("\n") == 1
