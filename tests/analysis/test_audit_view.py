"""What the audits of a run said, from rows made by hand."""

from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from analysis.audit_view import audit_view, counted_verdicts, verdicts
from analysis.language import catalogue, translated
from analysis.store import Run
from tests.analysis.test_language import english
from tests.narrow import present
from tests.recorded.copies import Copy, write, write_unit


def row(seed: int, moment: str, mechanism: str, verdict: str, identity: str = "M33") -> dict[str, object]:
    return {
        "config": "a",
        "fold": "chr8",
        "seed": seed,
        "moment": moment,
        "id": identity,
        "mechanism": mechanism,
        "verdict": verdict,
        "reason": f"{mechanism} at {moment}",
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    for seed in (0, 1):
        write_unit(tmp_path, Copy("a", {}), seed)
    ended = [
        row(0, "first", "hinge", "idle"),
        row(0, "last", "hinge", "active"),
        row(0, "first", "gate", "inert"),
        row(0, "last", "gate", "active"),
        row(0, "last", "small", "drowned"),
        row(0, "last", "sampler", "active", "-"),
        row(0, "run", "prediction", "broken", "-"),
    ]
    write(tmp_path, "audit", "a-chr8-0.parquet", ended)
    write(
        tmp_path,
        "audit",
        "a-chr8-1.parquet",
        [row(1, "first", "hinge", "active"), row(1, "first", "small", "active")],
    )
    return Run.open(tmp_path)


def test_the_gravest_verdict_counts_and_a_hinge_that_woke_acts(run: Run) -> None:
    found = verdicts(run).set_index("mechanism")
    assert found.index.tolist() == ["prediction", "gate", "small", "sampler", "hinge"], "gravest first"
    assert found["verdict"].tolist() == ["broken", "inert", "drowned", "active", "active"]
    assert found.loc["gate", "reason"] == "gate at first"
    assert found.loc[["small"], ["configurations", "of"]].to_numpy().tolist() == [[1, 1]]


def test_audit_names_only_what_needs_a_reader(run: Run) -> None:
    console = Console(width=120)
    with console.capture() as capture:
        for part in audit_view(run):
            console.print(part)
    said = capture.get()
    assert "3 mechanisms, each by its gravest verdict: 1 active, 1 drowned, 1 inert" in said
    assert "broken prediction  in 1 of 1 configurations that have it: prediction at run" in said
    assert "inert M33 gate  in 1 of 1 configurations that have it: gate at first" in said
    assert "hinge" not in said


def test_a_run_without_audits_says_nothing(tmp_path: Path) -> None:
    write_unit(tmp_path, Copy("a", {}), 0)
    run = Run.open(tmp_path)
    assert verdicts(run).empty
    assert list(audit_view(run)) == []


@pytest.mark.parametrize(
    ("rows", "said"), [(0, "no mechanism was judged"), (1, "1 mechanism, by its gravest")]
)
def test_contracts_alone_are_no_mechanisms(rows: int, said: str, tmp_path: Path) -> None:
    """Nor is what is left of the sentence then: it counted 0 mechanisms of no verdict."""
    write_unit(tmp_path, Copy("a", {}), 0)
    audit = [row(0, "last", "sampler", "active", "-"), *[row(0, "last", "hinge", "active")] * rows]
    write(tmp_path, "audit", "a-chr8-0.parquet", audit)
    run = Run.open(tmp_path)
    assert counted_verdicts(verdicts(run)).startswith(said)
    words = present(catalogue("zh"))
    (line,) = translated(audit_view(run), words)
    assert isinstance(line, Text)
    assert english(line.plain) == []
    assert "0" not in line.plain
