"""`python -m harness.runs --lang zh`: no English words but names, values and what a person wrote."""

import dataclasses
import re
import shutil
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from rich.cells import cell_len

from analysis.language import catalogue
from analysis.language.catalogue import PLACE
from analysis.schema import LOCK
from analysis.store import Run
from harness.runs.__main__ import COMMANDS, HERE
from harness.runs.description import OTHERS
from tests.analysis.test_arm_effects import ablation
from tests.analysis.test_language import SOFTWARE, english
from tests.harness.test_runs import checkpoint, driven, planned, refused, run, runs, said
from tests.narrow import present
from tests.recorded.copies import COPIES, Copy, write_run, write_unit

__all__ = ["run"]
WRITTEN = frozenset(
    [
        *OTHERS,
        *SOFTWARE,
        "kB",
        "search",
        "recorded",
        "paper",
        "run",
        "runs",
        "energy",
        "gated",
        "linear",
        "ranking",
    ]
)
"""Units of sizes, names of designs and folders, and the settings of the recorded run."""

LABEL = "错误："


def left(text: str, *names: str, paths: Iterable[Path] = ()) -> list[str]:
    """English words of a text, but for those, and for paths."""
    for path in paths:
        text = text.replace(str(path), " ")
    return english(text, WRITTEN | set(names))


@pytest.fixture
def ids(run: Path) -> list[str]:
    return sorted(Run.open(run).table("units")["config"].unique())


def test_looking_at_runs_is_in_chinese(run: Path, ids: list[str]) -> None:
    planned(run.parent / "killed", [COPIES[0]], status="running")
    (run.parent / "killed" / LOCK).touch()
    (run.parent / "old" / "trials").mkdir(parents=True)
    (run.parent / "old" / "trials" / "x.parquet").touch()
    runs("tag", run, "paper")
    told = said("list", run.parent, "--lang", "zh")
    table, notes = told.split("\n\n")
    assert left(table, "killed", "old", "grid") == []
    assert {"已完成", "已中断", "无法读取"} <= set(table.split())
    assert "3 个运行；最佳：最佳配置的目标均值；排名用 python -m analysis RUN" in notes
    assert max(map(cell_len, table.splitlines())) <= 80
    asks = said("show", run).split("asks", 1)[1].split("design", 1)[0]
    shown = said("show", run, "--lang", "zh")
    assert left(shown, *re.findall(r"\w+", asks), "grid", paths=[run]) == []
    assert left(said("trial", run, ids[0], "--lang", "zh")) == []
    assert left(said("diff", run, ids[0], ids[1], "--lang", "zh")) == []


def test_units_that_ended_otherwise_are_in_chinese(tmp_path: Path) -> None:
    run = planned(tmp_path / "run", [Copy("aaa111", {})], seeds=(0,))
    for seed, status in enumerate(("stopped", "pruned", "failed", "diverged", "running"), start=1):
        reason = {"reason": "pruned after epoch 1: objective 0.5 is not among the best 1/2"}
        write_unit(run, Copy("aaa111", {}, status=status, unit=reason if status == "pruned" else {}), seed)
    for command in (("trial", run, "aaa111"), ("show", run)):
        assert left(said(*command, "--lang", "zh"), paths=[run]) == []


def test_two_runs_beside_each_other_are_in_chinese(tmp_path: Path) -> None:
    one = planned(tmp_path / "one", [COPIES[0], COPIES[1]])
    other = planned(tmp_path / "other", [COPIES[0]], seeds=(0, 1), objective="val_unseen/pooled/aupr")
    write_unit(one, dataclasses.replace(COPIES[0], status="pruned"), 1)
    told = said("diff", one, other, "--lang", "zh")
    assert left(told, "one", "other", "grid") == []
    assert "双方都有的配置 1 个，只在 one 中的 1 个，只在 other 中的 0 个" in told
    whole = "".join(told.split())
    assert "略去没有配对的one的1个单元；截尾：one的1个单元提前结束，取那时达到的最好值" in whole


def test_arms_are_called_in_chinese(tmp_path: Path) -> None:
    arms = ablation(tmp_path / "run", {"b": 0.0, "x": [-0.1, -0.11, -0.1]}, seeds=(0, 1, 2))
    told = said("list", tmp_path, "--lang", "zh")
    assert left(told, "leave_one_out") == []
    assert "去掉 x" in said("trial", arms.path, "x", "--lang", "zh")


def test_marking_and_pruning_are_in_chinese(run: Path) -> None:
    checkpoint(run, "492cab43b5ba-fb7c419a8e9-0")
    assert said("tag", run, "paper", "--lang", "zh") == "标签  paper\n备注  无\n"
    assert said("note", run, "none", "--lang", "zh") == "标签  paper\n备注  none\n".replace("none", "无")
    assert said("note", run, "mean", "--lang", "zh") == "标签  paper\n备注  mean\n", "as it was written"
    told = said("prune", run, "--dry-run", "--lang", "zh") + said("prune", run, "--lang", "zh")
    assert left(told, paths=[run]) == []


def test_combining_is_in_chinese(tmp_path: Path) -> None:
    first = planned(tmp_path / "first", [COPIES[0], COPIES[1]])
    second = planned(tmp_path / "second", [COPIES[1], COPIES[2]], seeds=(0, 1))
    write_unit(second, dataclasses.replace(COPIES[2], status="failed"), 1)
    told = said("combine", first, second, "--out", tmp_path / "both", "--lang", "zh")
    assert left(told, paths=[first, second, tmp_path / "both"]) == []
    assert "取自第一个" in told


def test_mistakes_are_in_chinese(tmp_path: Path, run: Path, ids: list[str]) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    other = planned(tmp_path / "other", [COPIES[0]])
    elsewhere = planned(tmp_path / "elsewhere", [COPIES[0]], data="0" * 64)
    alone = write_run(tmp_path / "alone", COPIES[:1])
    (alone / "plan.json").unlink()
    wrong = [
        ("list", tmp_path / "nowhere"),
        ("list", run),
        ("diff", run, ids[0], ids[0]),
        ("diff", run, run),
        ("diff", run, ids[0]),
        ("tag", run, "two words"),
        ("tag", run, "--", "-draft"),
        ("combine", other, other, "--out", tmp_path / "new"),
        ("combine", other, run, "--out", nothing),
        ("combine", other, run, "--out", run / "inside"),
        ("combine", other, elsewhere, "--out", tmp_path / "new"),
        ("combine", other, alone, "--out", tmp_path / "new"),
    ]
    english_of: dict[str, list[str]] = {}
    for given in wrong:
        words = [given[0], "--lang", "zh", *given[1:]]
        told = refused(*words, label=LABEL)
        paths = sorted({str(part) for part in (*given, tmp_path)}, key=len, reverse=True)
        rest = left(told, "combine", "diff", "draft", "runs", *ids, "TAG", paths=map(Path, paths))
        english_of[told] = [word for word in rest if word not in ("two", "words", "out", "list", "show")]
    assert {told: words for told, words in english_of.items() if words} == {}
    with driven(other):
        assert left(refused("prune", other, "--lang", "zh", label=LABEL), paths=[other]) == []
    shutil.rmtree(nothing)


def test_every_command_has_a_language(run: Path) -> None:
    for name in COMMANDS:
        done = runs(name, "--help")
        assert "--lang LANG" in done.stdout, name
    assert "--lang zhh: no such language" in refused("show", run, "--lang", "zhh")


def test_sentences_keep_their_places_and_add_to_the_others() -> None:
    words = present(catalogue("zh", HERE))
    assert words("no rule was broken") == "没有触犯任何规则"
    assert words("macro AUPR") == "宏平均 AUPR", "of analysis"
    assert present(catalogue("zh"))("no rule was broken") == "no rule was broken"
    for section in tomllib.loads((HERE / "zh.toml").read_text(encoding="utf-8")).values():
        for sentence, text in section.items():
            places = dict(PLACE.findall(sentence))
            told = {name for name, _ in PLACE.findall(text)}
            assert told <= set(places), sentence
            assert {name for name, kind in places.items() if kind} <= told, sentence
