"""The report: one file with every section, whose numbers are the terminal's."""

import base64
import dataclasses
import gzip
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plotly.offline import get_plotlyjs
from rich.console import Console
from sklearn.metrics import average_precision_score

from analysis.__main__ import main
from analysis.data_signs import FILE as SIGNS
from analysis.data_signs import signs_view
from analysis.effects_view import effects_view
from analysis.errors import UserError
from analysis.language import catalogue
from analysis.ranking import Ranking, rank
from analysis.report.answer import answer
from analysis.report.content import Paragraph
from analysis.report.material import TOP, Material
from analysis.report.order import SECTIONS
from analysis.report.page import FILE, report_html
from analysis.report.recall import GRID, precision_on_grid, seed_curves
from analysis.report.texts import LANGUAGES, texts
from analysis.reported import AUDIT_STOP
from analysis.store import Run
from analysis.terminal import ranking_view
from tests.analysis.test_arm_effects import ablation
from tests.analysis.test_language import english
from tests.analysis.test_preregistration import CONTENT, write
from tests.narrow import present
from tests.recorded.copies import Copy, write_run, write_unit

LIMIT = 3_000_000
"""Bytes; the library that draws takes 1.96 million of them, whatever the run."""


class Reader(HTMLParser):
    """The visible words of a page, section by section, and what its elements load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: dict[str, str] = {}
        self.loads: list[str] = []
        self._section, self._silent = "", 0
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style")
        known = dict(attributes)
        if tag == "section" or known.get("id") == "answer":
            self._section = known["id"] or ""
        self.loads += [value or "" for name, value in attributes if name in ("src", "srcset", "href", "data")]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.words[self._section] = self.words.get(self._section, "") + data.strip() + "\n"


@pytest.fixture(scope="module")
def ranking(run_path: Path) -> Ranking:
    return rank(Run.open(run_path))


@pytest.fixture(scope="module")
def page(ranking: Ranking) -> str:
    return report_html(ranking)


def printed(parts: object) -> str:
    console = Console(file=io.StringIO(), width=250)
    for part in parts:  # type: ignore[attr-defined]
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def numbers(text: str) -> set[str]:
    """Numbers of three digits after the point."""
    return set(re.findall(r"(?<![\d.])\d\.\d{3}(?!\d)", text))


def test_page_is_one_small_file_that_loads_nothing(page: str) -> None:
    assert len(page.encode()) < LIMIT
    assert {load for load in Reader(page).loads if not load.startswith("#")} == {"data:,"}
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    packed = page.split('id="library">')[1].split("<")[0]
    assert gzip.decompress(base64.b64decode(packed)).decode() == get_plotlyjs()


def test_figures_have_the_fonts_of_the_text_and_chinese_ones(page: str) -> None:
    (text,) = re.findall(r"font: 16px/1.55 (.*);", page)
    figures = [json.loads(figure) for figure in re.findall(r'"family":("(?:[^"\\]|\\.)*")', page)]
    assert figures
    assert set(figures) == {text}
    assert {"PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC"} <= set(re.findall(r'"(.*?)"', text))


def test_every_section_is_there_or_says_why_not(page: str) -> None:
    words, text = Reader(page).words, texts()
    for section in SECTIONS:
        if section.key in words:
            assert text(f"{section.key}.title") in words[section.key]
        else:
            assert text(f"{section.key}.missing") in words["absent"]
    assert {
        "ranking",
        "warnings",
        "curves",
        "cells",
        "precision_recall",
        "parallel",
        "shares",
        "audit",
    } < set(words)
    assert "effects" not in words, "the recorded run is a grid"


def test_ranking_has_the_terminals_numbers(page: str, ranking: Ranking) -> None:
    words = Reader(page).words["ranking"]
    terminal = printed(ranking_view(ranking))
    for row in ranking.configurations.itertuples():
        assert f"{row.low:.3f} to {row.high:.3f}" in words
        assert f"{row.low:.3f} to {row.high:.3f}" in terminal
        assert str(row.label) in words
    table = terminal[: terminal.index("Warnings")]
    rows = [line for line in table.splitlines() if re.match(r" (\d+[~=+]?|b) .* \d\.\d{3} ", line)]
    assert len(rows) == len(ranking.configurations) + len(ranking.baselines)
    assert numbers("".join(rows)) <= numbers(words)


def test_answer_agrees_with_the_ranking(page: str, ranking: Ranking) -> None:
    said, best = Reader(page).words["answer"], ranking.configurations.iloc[0]
    assert f"{best['value']:.3f} (95 % interval {best['low']:.3f} to {best['high']:.3f} over 3 seeds)" in said
    assert texts()("answer.unconfirmed") in said


def test_answer_is_decided_only_where_all_others_are_worse(tmp_path: Path) -> None:
    far = (
        Copy("aaa111", {"x": 1}, steady=True),
        Copy("bbb222", {"x": 2}, steady=True, lift=(0.2, 0.21, 0.19)),
    )
    decided = rank(Run.open(write_run(tmp_path / "far", far)))
    assert list(decided.configurations["tie"]) == ["best", "worse"]
    assert answer(Material(decided, texts())).state == "decided"
    near = (
        Copy("aaa111", {"x": 1}, steady=True),
        Copy("bbb222", {"x": 2}, steady=True, lift=(0.2, -0.1, 0.0)),
    )
    undecided = answer(Material(rank(Run.open(write_run(tmp_path / "near", near))), texts()))
    assert undecided.state == "undecided"
    assert "the other configuration cannot be told apart" in undecided.certainty
    single = rank(Run.open(write_run(tmp_path / "one", far, seeds=(0,))))
    assert "one seed" in answer(Material(single, texts())).certainty


def test_effects_are_those_of_the_terminal(tmp_path: Path) -> None:
    lifts = {"b": 0.0, "x": [-0.1, -0.11, -0.1], "p": [0.001, -0.001, 0.0]}
    run = ablation(tmp_path / "run", lifts, seeds=(0, 1, 2))
    write(run.path, {**CONTENT, "criterion": "val_unseen/macro/aupr", "question": "is x missed?"})
    words = Reader(report_html(rank(run))).words
    terminal = printed(effects_view(Run(run.path)))
    shown = set(re.findall(r"[+-]\d\.\d{4}", words["effects"]))
    assert len(shown) >= 6
    assert shown <= set(re.findall(r"[+-]\d\.\d{4}", terminal))
    assert "1 worse (without x)" in words["answer"]
    assert "a loss beyond chance" in words["answer"]
    assert "is x missed?" in words["question"]


def test_warnings_stand_on_the_curves_at_their_epoch(planted: Path) -> None:
    ranking = rank(Run.open(planted))
    material = Material(ranking, texts())
    (curves,) = [section.blocks(material) for section in SECTIONS if section.key == "curves"]
    assert curves is not None
    at = material.leaders.index("ccc333")
    figure = curves[0].charts[at].figure  # type: ignore[union-attr]
    raised = ranking.findings[ranking.findings["config"] == "ccc333"]
    assert "overfit_train" in set(raised["rule"])
    for rule in raised["rule"].unique():
        assert rule in figure


def test_hidden_configurations_are_counted(ranking: Ranking) -> None:
    rows = ranking.configurations
    many = pd.concat([rows.assign(config=rows["config"] + f"-{at}") for at in range(500)], ignore_index=True)
    many["rank"] = range(1, len(many) + 1)
    changes = {config: ranking.changes[config.split("-")[0]] for config in many["config"]}
    findings = ranking.findings.assign(config=ranking.findings["config"] + "-0")
    page = report_html(dataclasses.replace(ranking, configurations=many, changes=changes, findings=findings))
    words = Reader(page).words["ranking"]
    assert len(page.encode()) < LIMIT
    assert f"{2000 - TOP:,} configurations further down are not shown".replace(",", " ") in words
    assert words.count("#") < 2 * TOP


def test_precision_on_grid_is_that_of_hand_and_averages_to_ap() -> None:
    curve = precision_on_grid([1, 0, 1, 0], [4.0, 3.0, 2.0, 1.0])
    assert curve[GRID <= 0.5].tolist() == [1.0] * 51
    assert curve[GRID > 0.5] == pytest.approx(2 / 3)
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 4000)
    logit = label + 2 * rng.standard_normal(4000)
    assert precision_on_grid(label, logit)[1:].mean() == pytest.approx(
        average_precision_score(label, logit), abs=0.005
    )
    assert np.isnan(precision_on_grid([0, 0], [1.0, 2.0])).all()


def test_a_seeds_curve_is_a_mean_over_its_cell_lines() -> None:
    rows = pd.DataFrame(
        {
            "fold": "f", "seed": [0, 0, 0, 0], "cell_line": ["a", "a", "b", "b"], "label": [1, 0, 1, 0],
            "logit": [2.0, 1.0, 3.0, 4.0],
        }
    )  # fmt: skip
    assert seed_curves(rows, macro=True)[0][1:] == pytest.approx(0.75)
    assert seed_curves(rows, macro=False)[0][[0, 50, 100]] == pytest.approx([0, 1 / 2, 2 / 3])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_sentences_of_english(language: str) -> None:
    def shapes(table: dict[str, object], of: str = "") -> dict[str, set[str]]:
        flat: dict[str, set[str]] = {}
        for name, value in table.items():
            if isinstance(value, dict):
                flat |= shapes(value, f"{of}{name}.")
            else:
                flat[of + name] = set(re.findall(r"{(\w+)}", str(value)))
        return flat

    assert shapes(dict(texts(language).sentences)) == shapes(dict(texts("en").sentences))
    with pytest.raises(KeyError):
        texts(language)("ranking.no such sentence")


def test_command_writes_where_it_says(
    run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"
    assert main(["report", str(run_path), "--by", "nll", "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    assert "NLL" in Reader(out.read_text(encoding="utf-8")).words["answer"]
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    assert not (run_path / FILE).exists()
    with pytest.raises(UserError, match="is a folder; expected the name of a file"):
        main(["report", str(run_path), "--out", str(tmp_path)])
    with pytest.raises(UserError, match="cannot be written"):
        main(["report", str(run_path), "--out", str(tmp_path / "nowhere" / "page.html")])


def test_an_unfinished_sweep_calls_itself_that_before_the_answer(
    page: str, run_path: Path, tmp_path: Path
) -> None:
    assert 'id="unfinished"' not in page
    copy = Path(shutil.copytree(run_path, tmp_path / "run"))
    plan = json.loads((copy / "plan.json").read_text(encoding="utf-8"))
    (copy / "plan.json").write_text(json.dumps({**plan, "status": "running", "trials": 5}), encoding="utf-8")
    unfinished = report_html(rank(Run.open(copy)))
    assert unfinished.index('id="unfinished"') < unfinished.index('id="answer"')
    assert "unfinished run: 3 of 15 units still to end" in unfinished
    assert "Unfinished; so far" in Reader(unfinished).words["answer"]


def test_shortcuts_of_the_data_are_those_of_the_data_report(run_path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run_path, tmp_path / "run"))

    def said() -> str:
        material = Material(rank(Run.open(copy)), texts())
        (section,) = [each for each in SECTIONS if each.key == "shortcuts"]
        return repr(section.blocks(material))

    assert "was not stored with this run" in said()
    row = {"shortcut": "distance", "parted": "5 groups of chromosomes", "auc": 0.81, "low": 0.7, "flag": "x"}
    data = Run.open(copy).table("units")["data"].iloc[0]
    signs = {"data": data, "flags": {"distance_shortcut": "match by distance"}, "shortcuts": [row]}
    (copy / SIGNS).write_text(json.dumps(signs), encoding="utf-8")
    assert "Flagged in the data, distance_shortcut: match by distance." in said()
    assert "0.810" in said()
    assert "Not a fault of the numbers" not in said(), "it is one of the pairs"
    split = {"random_split": "drawn over pairs", "distance_shortcut": "match by distance"}
    (copy / SIGNS).write_text(json.dumps({**signs, "flags": split}), encoding="utf-8")
    assert "Not a fault of the numbers on this page: random_split. The split that came with" in said()
    told = printed(signs_view(Run.open(copy))).splitlines()
    assert told == [
        "data: distance_shortcut: match by distance",
        "data: random_split: of the data's own split, or of random parts where there is none, which "
        "this run's folds replace (python -m analysis "
        "report says more)",
    ]
    words = present(catalogue("zh"))
    assert english(words(told[1])) == []
    assert words("data: distance_shortcut: 3 units") == "数据：distance_shortcut：3 个单元"
    (copy / SIGNS).write_text(json.dumps({**signs, "flags": {}}), encoding="utf-8")
    assert "The data report flags nothing" in said()
    (copy / SIGNS).write_text(json.dumps({**signs, "data": "other"}), encoding="utf-8")
    assert "was not stored with this run" in said(), "it is of other data"


def test_what_never_finished_an_epoch_is_said_once(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [Copy("aaa111", {})], seeds=(0, 1))
    stopped = Copy(
        "bbb222", {"energy.form": "gated"}, status="stopped", unit={"reason": f"{AUDIT_STOP}mine is inert"}
    )
    for seed in (0, 1):
        write_unit(run, stopped, seed)
        for table in ("epochs", "cells", "terms"):
            (run / table / f"bbb222-chr8-{seed}.parquet").unlink()
    ranking = rank(Run.open(run))
    lacking = ranking.unevaluated.groupby("missing")["rule"].nunique()
    assert lacking["a finished epoch"] > 5
    assert not lacking.index.str.contains("table epochs|table cells|table terms").any()
    for language, said in (
        ("en", "2 stopped by the audit. Stopped by the audit: 2 units"),
        ("zh", "没有一轮训练跑完"),
    ):
        words = " ".join(Reader(report_html(ranking, language)).words.values())
        assert said in " ".join(words.split())
        assert "audit: " not in words.replace("by the audit: ", "")


def test_unread_files_are_said_on_the_page(ranking: Ranking) -> None:
    run = Run(ranking.run.path, problems=["units/x.parquet cannot be read: broken"])
    section = next(each for each in SECTIONS if each.key == "provenance")
    blocks = section.blocks(Material(dataclasses.replace(ranking, run=run), texts()))
    assert blocks is not None
    assert any(isinstance(each, Paragraph) and "units/x.parquet" in each.text for each in blocks)
