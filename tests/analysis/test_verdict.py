"""A ranking is by what the run was asked for, and says first what speaks against its first row."""

import dataclasses
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import analysis
from analysis.__main__ import main
from analysis.ranking import Ranking, rank
from analysis.report.answer import Answer, answer
from analysis.report.material import Material
from analysis.report.texts import texts
from analysis.rules import RULES
from analysis.store import Run
from analysis.verdict import faults_of, verdict, verdict_sentence
from tests.analysis.ranked_text import ranked_text


@pytest.fixture(scope="module")
def ranking(run_path: Path) -> Ranking:
    """Of the recorded run, whose first configuration has a fault."""
    return rank(Run.open(run_path))


@pytest.fixture(scope="module")
def pooled(run_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded run as one that was asked for pooled AUPR; read only."""
    copy = Path(shutil.copytree(run_path, tmp_path_factory.mktemp("asked") / "run"))
    plan = json.loads((copy / "plan.json").read_text(encoding="utf-8"))
    (copy / "plan.json").write_text(json.dumps({**plan, "objective": "val_unseen/pooled/aupr"}))
    return copy


def behind(ranking: Ranking, gain: float) -> Ranking:
    """The same with all baselines so far above the first configuration (below it where negative)."""
    by, value = ranking.by, float(ranking.configurations["value"].iloc[0])
    known = ranking.baselines.assign(**{by.key: value + (gain if by.higher_is_better else -gain)})
    return dataclasses.replace(ranking, baselines=known)


def answered(ranking: Ranking) -> Answer:
    return answer(Material(ranking, texts()))


def test_a_run_is_ranked_by_what_it_was_asked_for(pooled: Path, ranking: Ranking) -> None:
    by_itself = rank(Run.open(pooled))
    assert (ranking.by.key, by_itself.by.key) == ("aupr", "pooled_aupr")
    assert analysis.load(pooled).ranked().by.key == "pooled_aupr"
    assert "pooled AUPR on val_unseen, higher is better; what the run was asked for;" in ranked_text(
        by_itself
    )
    other = ranked_text(rank(Run.open(pooled), "nll"))
    assert "NLL on val_unseen, lower is better; not what the run was asked for, pooled AUPR;" in other


def test_the_paper_and_the_page_follow_the_objective_too(
    pooled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", str(pooled)]) == 0
    assert "pooled AUPR in unseen validation cell lines" in capsys.readouterr().out
    assert main(["report", str(pooled), "--out", str(tmp_path / "page.html")]) == 0
    assert "--by pooled_aupr" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("by", ["aupr", "nll"])
def test_below_every_baseline_is_said_first(run_path: Path, by: str) -> None:
    ranking = rank(Run.open(run_path), by)
    word = "below" if by == "aupr" else "worse than"
    row = ranking.configurations.iloc[0]
    near = 0.5 * min(row["value"] - row["low"], row["high"] - row["value"])
    low, high = behind(ranking, 0.9), behind(ranking, -0.9)
    within = behind(ranking, near)
    assert verdict(within).below_every
    assert "within its interval (best: " in verdict_sentence(within)
    assert "so that this is not sure" in " ".join(answered(within).alerts)
    assert "within its interval" not in verdict_sentence(low) + verdict_sentence(high)
    assert "so that this is not sure" not in " ".join((*answered(low).alerts, *answered(high).alerts))
    assert verdict(low).below_every
    assert not verdict(high).below_every
    assert f"{word} every baseline (best: " in verdict_sentence(low)
    assert f"{word} every baseline" in ranked_text(low)
    assert f"{word} every baseline" in " ".join(answered(low).alerts)
    assert f"{word} every baseline" not in ranked_text(high) + " ".join(answered(high).alerts)


def test_a_fault_of_the_first_row_is_said_first(ranking: Ranking) -> None:
    first = str(ranking.configurations["config"].iloc[0])
    rules = faults_of(ranking, first)
    assert rules
    assert f"{first[:6]}" in verdict_sentence(ranking)
    assert f"carries {len(rules)} fault" in verdict_sentence(ranking)
    told = " ".join(answered(ranking).alerts)
    assert ", ".join(rules) in told
    assert first[:6] in told
    none = dataclasses.replace(ranking, findings=ranking.findings[ranking.findings["severity"] != "fault"])
    assert faults_of(none, first) == ()
    assert "fault" not in verdict_sentence(none) + " ".join(answered(none).alerts)


def test_documents_are_not_taken_for_random_seeds() -> None:
    assert [rule.id for rule in RULES.values() if "seed" in rule.source] == []
    assert RULES["drowned_term"].source == "source document 003 (notes on record points 22, 23)"


def on_test(ranking: Ranking, gain: float) -> Ranking:
    """The same with the best baseline so far above the first configuration on test, and one without a number there."""
    value = float(ranking.configurations["test_aupr"].iloc[0])
    known = ranking.baselines.assign(test_aupr=[value + gain, *[float("nan")] * (len(ranking.baselines) - 1)])
    return dataclasses.replace(ranking, baselines=known)


def test_a_baseline_ahead_on_test_is_said(ranking: Ranking) -> None:
    ahead, behind_it = on_test(ranking, 0.125), on_test(ranking, -0.125)
    own, name = float(ranking.configurations["test_aupr"].iloc[0]), ahead.baselines["baseline"].iloc[0]
    said = f"on test, which chose nothing, not above baseline {name} {own + 0.125:.3f} (macro AUPR {own:.3f})"
    assert said in verdict_sentence(ahead)
    assert f"macro AUPR {own:.3f} against {own + 0.125:.3f}" in " ".join(answered(ahead).alerts)
    assert "on test" not in verdict_sentence(behind_it)
    assert "On test" not in " ".join(answered(behind_it).alerts)
    unknown = dataclasses.replace(ahead, baselines=ahead.baselines.assign(test_aupr=float("nan")))
    assert "on test" not in verdict_sentence(unknown)


def test_the_answer_names_what_did_not_act(run_path: Path, tmp_path: Path, ranking: Ranking) -> None:
    first = str(ranking.configurations["config"].iloc[0])
    audit = ranking.run.table("audit")
    judged = audit[(audit["config"] == first) & (audit["id"] != "-")]["mechanism"].unique()
    loud = {judged[0]: "drowned", judged[1]: "idle", judged[2]: "drowned"}
    copy = Path(shutil.copytree(run_path, tmp_path / "run"))
    for path in (copy / "audit").glob("*.parquet"):
        part = pq.read_table(path)
        names, of = part["mechanism"].to_pylist(), part["config"].to_pylist()
        verdicts = [
            loud.get(name, "active") if config == first else "broken"
            for name, config in zip(names, of, strict=True)
        ]
        at = part.schema.get_field_index("verdict")
        pq.write_table(
            part.set_column(at, part.schema.field(at), pa.array(verdicts, part.schema.field(at).type)), path
        )
    told = " ".join(answered(rank(Run.open(copy))).alerts)
    assert f"Of {len(judged)} mechanisms of #1 ({first[:6]}) its audits call" in told
    drowned, idle = told.split(" its audits call ")[1].rstrip(".").split("; ")
    assert set(drowned.removesuffix(" drowned").split(", ")) == {judged[0], judged[2]}
    assert idle == f"{judged[1]} idle"
    assert "broken" not in told
    assert "its audits call" not in " ".join(answered(ranking).alerts)
