"""What sections of a report must not leave out, nor say of more than there is."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.data_signs import OF_SOURCE
from analysis.ranking import rank
from analysis.report.answer import answer
from analysis.report.content import Block, Chart, Charts, Commands, Paragraph
from analysis.report.material import Material
from analysis.report.order import SECTIONS
from analysis.report.texts import texts
from analysis.schema import PROVENANCE
from analysis.store import Run
from harness.shortcuts.report import MEANING
from tests.analysis.test_language import english
from tests.recorded.copies import Copy, write, write_run, write_unit


def test_flags_are_of_the_pairs_or_of_their_split() -> None:
    assert set(OF_SOURCE) < set(MEANING)
    assert set(MEANING) - set(OF_SOURCE) == {"distance_shortcut", "length_shortcut"}


def blocks_of(key: str, run: Run) -> Sequence[Block]:
    (section,) = [each for each in SECTIONS if each.key == key]
    blocks = section.blocks(Material(rank(run), texts()))
    assert blocks is not None
    return blocks


def test_a_term_without_a_gradient_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [Copy("aaa111", {}), Copy("bbb222", {}, lift=-0.1)], seeds=(0, 1))

    def pulls(config: str, *of_seeds: float) -> None:
        for seed, share in enumerate(of_seeds):
            (file,) = (run / "terms").glob(f"{config}-chr8-{seed}.parquet")
            rows = pd.read_parquet(file)
            rows.loc[rows["term"] == "ranking", "grad_share"] = share
            records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
            write(run, "terms", file.name, records)

    pulls("aaa111", 0.0, 0.0)
    pulls("bbb222", 0.4, 0.0)
    charts, *notes = blocks_of("shares", Run.open(run))
    assert isinstance(charts, Charts)
    assert [each.text for each in notes if isinstance(each, Paragraph)] == [
        "Not drawn, since the gradient was 0 in every epoch: ranking in #1."
    ]
    drawn = [json.loads(chart.figure)["data"] for chart in charts.charts]
    heights = [
        max(decoded(trace["y"]))
        for trace in drawn[-1]
        if trace.get("hovertemplate", "").startswith("ranking")
    ]
    assert heights == [pytest.approx(0.2)]


def decoded(values: Any) -> list[float]:
    """Numbers of a figure, which plotly may have packed."""
    if isinstance(values, list):
        return [float(each) for each in values]
    return [float(each) for each in np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])]


def test_what_to_run_again_is_run_where_it_was_started(tmp_path: Path) -> None:
    run = write_run(tmp_path / "there" / "runs" / "one", [Copy("aaa111", {})], seeds=(0,))
    written = {"command": ["python", "-m", "harness.sweep", "x.yaml"], "folder": str(tmp_path / "there")}
    for folder, path in ((tmp_path / "there", "runs/one"), (tmp_path / "elsewhere", str(run))):
        (run / PROVENANCE).write_text(json.dumps({**written, "folder": str(folder)}), encoding="utf-8")
        paragraph, commands = blocks_of("again", Run.open(run))
        assert isinstance(paragraph, Paragraph)
        assert isinstance(commands, Commands)
        assert f"In {folder}, where it was started" in paragraph.text
        assert commands.lines[0] == "python -m harness.sweep x.yaml"
        assert commands.lines[-1] == f"python -m analysis report {path}"


@pytest.mark.parametrize(("lines", "said"), [(["K562"], "one cell line (K562)"), (["A", "B"], "cell lines")])
def test_an_answer_from_one_cell_line_names_it(lines: list[str], said: str, tmp_path: Path) -> None:
    fold = json.dumps({"name": "f", "test": ["C6"], "val": lines, "chromosomes": ["chr1"]})
    copies = [
        Copy(name, {}, lift=lift, unit={"fold_json": fold})
        for name, lift in (("aaa111", 0.1), ("bbb222", 0.0))
    ]
    told = answer(Material(rank(Run.open(write_run(tmp_path / "two", copies))), texts()))
    assert f"ranks pairs best in {said} that no model was trained on" in told.result
    alone = answer(Material(rank(Run.open(write_run(tmp_path / "one", copies[:1]))), texts()))
    assert f"in {said} that it was not trained on" in alone.result


def test_one_result_of_several_is_not_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [Copy("aaa111", {}, lift=0.1)])
    write_unit(run, Copy("bbb222", {"energy.form": "gated"}, status="failed"), 0)
    told = answer(Material(rank(Run.open(run)), texts()))
    assert told.state == "alone"
    assert told.result.startswith("Of 2 configurations, #1 base (aaa111) alone has a result: macro AUPR")
    assert told.certainty.startswith("No other configuration has a result to compare it with")
    chinese = answer(Material(rank(Run.open(run)), texts("zh")))
    assert english(chinese.result + chinese.certainty, ["base"]) == []


def test_few_configurations_have_no_legend_of_the_next_ones(tmp_path: Path) -> None:
    copies = [Copy(f"aaa11{at}", {"optimiser.lr": 0.1 * at}, lift=0.1 * at) for at in range(12)]
    for count, marks in ((3, 2), (12, 3)):
        run = write_run(tmp_path / str(count), copies[:count], seeds=(0, 1))
        (chart,) = blocks_of("parallel", Run.open(run))
        assert isinstance(chart, Chart)
        assert len(chart.legend) == marks
        assert not any("next 0" in each.text for each in chart.legend)
