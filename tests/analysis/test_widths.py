"""The ranking in 80 and 120 columns: whole, named in two lines, what everybody has in a line, and last what to do."""

import io
import json
import re
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from analysis.__main__ import print_ranking
from analysis.language.wrapping import Wrapped, breaks
from analysis.next_step import next_step
from analysis.ranking import rank
from analysis.sized import ROOMY, Name
from analysis.store import Run
from analysis.warnings_view import common_rules
from tests.analysis.test_arm_effects import ablation
from tests.recorded.copies import Copy, write_run

KEYS = (
    "contrastive",
    "prototypes",
    "speculation",
    "ranking",
    "calibration",
    "sparsity",
    "orthogonality",
    "irm",
)
WIDTHS = pytest.mark.parametrize("width", [80, 120])


def lines(run: Path, width: int, lang: str = "en") -> list[str]:
    console = Console(width=width, file=io.StringIO(), markup=False, emoji=False, highlight=False)
    print_ranking(run, console=console, lang=lang)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def rows_of(said: Sequence[str]) -> list[str]:
    """Lines of the table of a ranking, below its headings."""
    first = next(at for at, line in enumerate(said) if line.lstrip().startswith("───"))
    return list(said[first + 1 : said.index("", first)])


@WIDTHS
def test_a_ranking_fits_with_all_that_it_is_for(run_path: Path, width: int) -> None:
    said = lines(run_path, width)
    path = [line for line in said if str(run_path) in line or "rank.ipynb" in line]
    assert max(len(line) for line in said if line not in path) <= width
    head = next(line for line in said if line.startswith(" # "))
    assert "test†" in head.split()[-4:]
    assert ("P>best" in head) == ("U only" in head) == (width >= ROOMY)
    assert any(line.startswith("wider") for line in said) == (width < ROOMY)
    for row in rank(Run.open(run_path)).configurations.itertuples():
        (line,) = [each for each in rows_of(said) if f" {row.short} " in each]
        assert str(row.label).split(", ")[0] in line
        assert f"{row.low:.3f} to {row.high:.3f}" in line
        assert f"{row.test_aupr:.3f}" in line


@WIDTHS
def test_long_names_take_two_lines_and_say_which(tmp_path: Path, width: int) -> None:
    designs = [
        Copy(
            letter * 12,
            {"energy.form": "gated", **{f"loss.{key}.weight": start + at for at, key in enumerate(KEYS)}},
        )
        for letter, start in (("a", 0.123456), ("b", 0.3), ("c", 0.5))
    ]
    table = rows_of(lines(write_run(tmp_path / "run", designs, seeds=(0,)), width))
    starts = [at for at, line in enumerate(table) if re.match(r" \d", line)]
    assert len(starts) == len(designs)
    for start in starts:
        following = next(
            (at for at in range(start + 1, len(table)) if re.match(r" (\d|b )", table[at])), len(table)
        )
        assert following - start <= 2
        assert re.search(r" (aaaaaa|bbbbbb|cccccc) .*…", " ".join(table[start:following]))


def test_a_name_is_cut_where_it_is_one_word() -> None:
    console = Console(width=20, file=io.StringIO())
    assert Name("a=1, b=2").shortened(console, 20) == "a=1, b=2"
    cut = Name("without " + "x" * 60).shortened(console, 20)
    assert len(cut.splitlines()) == 2
    assert cut.endswith("…")
    assert (
        Name("aaaa=1111, bbbb=2222, cccc=3333", "0123456789").shortened(console, 12) == "aaaa=1111, … 012345"
    )


@WIDTHS
def test_what_every_configuration_has_is_one_line(run_path: Path, width: int) -> None:
    said, ranking = lines(run_path, width), rank(Run.open(run_path))
    common = common_rules(ranking)
    assert common
    for rule in common:
        (line,) = [line for line in said if rule in line.split() and "worst" in line]
        assert "limit" in line
    letters = set(ranking.findings.loc[ranking.findings["rule"].isin(common), "mark"])
    flags = next(line for line in said if line.startswith("flags"))
    assert not letters & {each.split()[0] for each in flags.removeprefix("flags").split(",")}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_to_do_next_is_last(run_path: Path, lang: str) -> None:
    assert lines(run_path, 80, lang)[-1].startswith({"en": "next: ", "zh": "下一步："}[lang])


def test_next_is_what_is_unfinished_first_then_what_is_read(run_path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run_path, tmp_path / "run"))
    assert next_step(rank(Run.open(copy))) == "#1 has a fault (mode_collapse): look at it before the number"
    plan = json.loads((copy / "plan.json").read_text(encoding="utf-8"))
    (copy / "plan.json").write_text(
        json.dumps({**plan, "status": "interrupted", "trials": 6}), encoding="utf-8"
    )
    (copy / "provenance.json").unlink()
    assert next_step(rank(Run.open(copy))) == "6 units have not ended: start the sweep again with --resume"
    start = ["/usr/bin/python3.11", "-m", "harness.sweep", "my sweep.yaml", "--out", "run"]
    (copy / "provenance.json").write_text(json.dumps({"command": start}), encoding="utf-8")
    command = "python -m harness.sweep 'my sweep.yaml' --out run --resume"
    assert next_step(rank(Run.open(copy))) == f"6 units have not ended: {command}"
    arms = ablation(tmp_path / "arms", {"b": 0.0, "x": -0.05}, seeds=(0, 1)).path
    assert "analysis effects" in next_step(rank(Run.open(arms))) or "fault" in next_step(rank(Run.open(arms)))


def test_chinese_breaks_between_characters_not_before_a_stop() -> None:
    text = "区间只对这些细胞系和位点成立，不涉及 val_unseen 以外。"
    for width in (10, 16, 30):
        ends = [0, *breaks(text, width), len(text)]
        pieces = [text[a:b].rstrip() for a, b in pairwise(ends)]
        assert "".join(text.split()) == "".join("".join(pieces).split())
        assert all(Console().measure(piece).maximum <= width for piece in pieces)
        assert not any(piece[0] in "，。" for piece in pieces if piece)
    lines_of = Wrapped(text).wrap(Console(width=16, file=io.StringIO()), 16)
    assert len(lines_of) > 1
    assert not any(line.plain.startswith(("，", "。")) for line in lines_of)
