"""What the commands beside the ranking print in Chinese: effects, rules and the confirmed number, without English words."""

import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.__main__ import main
from analysis.confirmation.choice import best_baseline, candidates
from analysis.confirmation.record import ChoiceRecord, Opening
from analysis.confirmation.seal import FILE, FOLDER
from analysis.confirmation.view import confirmation_view
from analysis.errors import UserError
from analysis.language import catalogue, in_language
from analysis.ranking import rank
from analysis.rules import RULES
from analysis.sized import ROOMY
from analysis.store import Run
from harness.shortcuts.report import MEANING
from harness.shortcuts.scorers import on_folds
from tests.analysis.test_arm_effects import ablation
from tests.analysis.test_factorial_effects import SIGNS
from tests.analysis.test_language import SOFTWARE, english, words_of
from tests.analysis.test_preregistration import CONTENT, write
from tests.analysis.test_waterfall import path
from tests.narrow import present
from tests.recorded.copies import Copy, write_run

STATISTICS = frozenset(
    [
        "aupr",
        "auc",
        "precision",
        "recall",
        "nll",
        "MDE",
        "Plackett",
        "Burman",
        "minimal",
        "true",
        "aa",
        "bb",
        "factorial",
    ]
)
"""Abbreviations and names that Chinese texts have as they are."""
SETTINGS = frozenset(["run", "energy", "form", "gated", "linear", "loss", "ranking", "gcn"])
FOLD = "confirmation (test C1, C2; validation C3; held out chr5)"
NOTES = (
    "10 seeds, the fewest: to find a lead of 0.03 over baseline distance with 80 % power takes 4 at a spread of 0.012",
    "no fold of the selection held out chr5, chr6: there its models trained on these loci, and nothing was chosen by "
    "them; the fold is made for the confirmation, whatever folds the YAML names",
    "test cell line C1: validation of the selection on other loci",
    "test cell lines C1, C2: only reported on by the selection",
)


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([*map(str, arguments), "--lang", "zh"]) == 0
    return capsys.readouterr().out


def left(said: str) -> list[str]:
    return [
        word
        for word in english(said, SETTINGS | STATISTICS | SOFTWARE | set(on_folds()))
        if word not in RULES
    ]


def factorial(folder: Path) -> Path:
    """A run of two factors on two levels."""
    copies = [
        Copy(f"c{at}", {"arm": at}, lift=0.02 * a + 0.01 * a * b, steady=True)
        for at, (a, b) in enumerate(SIGNS)
    ]
    write_run(folder, copies)
    configs = [
        {
            "id": f"c{at}",
            "changes": {},
            "arm": f"{a} {b}",
            "family": "factorial",
            "levels": {"aa": a, "bb": b},
        }
        for at, (a, b) in enumerate(SIGNS)
    ]
    (folder / "plan.json").write_text(
        json.dumps({"configs": configs, "design": "factorial"}), encoding="utf-8"
    )
    return folder


def test_effects_of_an_ablation_have_no_english(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lifts = {"b": 0.0, "p": [0.001, -0.002, 0.0], "x": [-0.1, -0.11, -0.1], "y": 0.0, "q": [0.01, 0.0, -0.01]}
    pruned: Mapping[str, Any] = {"status": "pruned"}
    run = ablation(tmp_path / "run", {**lifts, "z": 0.0}, seeds=(0, 1, 2), folds=("f0", "f1"), z=pruned)
    write(
        run.path,
        {**CONTENT, "question": "问题", "families": {"mechanism contrasts": {"base": ["without x", "gcn"]}}},
    )
    said = printed(capsys, "effects", run.path, "--cells", "--rope", "0.01")
    assert "去掉 x" in said
    assert left(said) == []
    printed(capsys, "report", run.path)
    said = words_of(run.path / "report.html")
    assert "去掉 x" in said[said.index("每个机制做了什么") :]
    assert left(said) == []


def test_effects_of_factorial_and_path_have_no_english(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in (factorial(tmp_path / "factorial"), path(tmp_path / "path").path):
        assert left(printed(capsys, "effects", run)) == [], run


def test_rules_in_chinese_have_no_english(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, "rules")
    assert {rule for rule in RULES if rule in re.sub(r"\s", "", said)} == set(RULES)
    assert left(said) == []
    with pytest.raises(UserError, match="--markdown prints the English page"):
        main(["rules", "--markdown", "--lang", "zh"])


@pytest.fixture
def confirmed(tmp_path: Path) -> Path:
    """A run whose first two configurations were confirmed."""
    folder = write_run(
        tmp_path / "run",
        (
            Copy("aaa111", {"energy.form": "gated"}, lift=(0.10, 0.12, 0.14)),
            Copy("bbb222", {"energy.form": "linear"}, lift=(0.12, 0.10, 0.13)),
            Copy("ccc333", {"energy.form": "none"}, lift=-0.2),
        ),
    )
    again = (
        Copy("ddd444", {"energy.form": "gated"}, lift=(0.02, 0.03, 0.04)),
        Copy("eee555", {"energy.form": "linear"}, lift=(0.03, 0.02, 0.05)),
    )
    write_run(folder / FOLDER, again)
    ranking = rank(Run.open(folder))
    named = tuple(replace(c, confirmed_as=a.config) for c, a in zip(candidates(ranking), again, strict=True))
    baseline, value = best_baseline(ranking)
    opening = Opening("2026-01-02T03:04:05+00:00", "u1 on m1", "a command", ("aaa111", "bbb222"), 6)
    record = ChoiceRecord("aupr", "2026-01-01", ("fold0",), FOLD, 3, named, baseline, value, NOTES, opening)
    write_record(folder, record)
    return folder


def write_record(folder: Path, record: ChoiceRecord) -> None:
    (folder / FOLDER / FILE).write_text(json.dumps(record.content()), encoding="utf-8")


def test_a_confirmed_ranking_has_no_english(confirmed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, confirmed)
    assert "已确认" in said
    head = said[: said.index("运行 run")]
    assert left(re.sub(r"基线 \w+", "", head)) == []
    printed(capsys, "report", confirmed)
    said = words_of(confirmed / "report.html")
    assert left(said) == []
    record = ChoiceRecord.of(json.loads((confirmed / FOLDER / FILE).read_text(encoding="utf-8")))
    write_record(confirmed, replace(record, opened=None))
    said = printed(capsys, confirmed)
    assert left(said[: said.index("运行 run")]) == []
    assert "下一步：用 --confirm --resume" in said


@pytest.mark.parametrize("width", [80, ROOMY])
def test_the_table_of_a_confirmation_fits(confirmed: Path, width: int) -> None:
    console = Console(width=width, file=io.StringIO(), markup=False, emoji=False, highlight=False)
    for part in confirmation_view(rank(Run.open(confirmed))):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    (head,) = [line for line in lines if "optimism chosen" in " ".join(line.split())]
    assert ("to the winner" in head) == (width >= ROOMY)
    said = " ".join(console.file.getvalue().split())
    assert "again" in head
    assert "still not told" in said
    assert "baseline" not in head


def test_conditions_of_rules_and_flags_of_data_are_in_chinese() -> None:
    words = present(catalogue("zh"))
    texts = [text for rule in RULES.values() for text in (rule.condition_text, rule.source)]
    texts += MEANING.values()
    assert {text: english(words(text)) for text in texts if left(words(text))} == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["./nowhere"], "nowhere：没有这个运行"),
        (["report", "nowhere"], "nowhere：没有这个运行"),
        (["effects", "nowhere"], "nowhere：没有这个运行"),
        (["./nowhere", "--rope", "0"], "--rope 必须是大于 0 的数，而不是 0"),
        (["./nowhere", "--top", "0"], "--top 至少为 1，而不是 0"),
    ],
)
def test_mistakes_are_told_in_chinese(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        main([*arguments, "--lang", "zh"])
    assert f"{raised.value.label}{raised.value}" == f"错误：{said}"


def test_a_mistake_that_no_catalogue_has_stays_english() -> None:
    with pytest.raises(UserError, match="of no catalogue") as raised, in_language("zh"):
        raise UserError("a mistake of no catalogue")
    assert raised.value.label == "error: "
