"""What was preregistered of runs goes along when they are combined."""

import json
from pathlib import Path

from analysis.preregistration import FILE as ASKED
from analysis.preregistration import entry_hash, preregistration_view
from analysis.store import Run
from tests.harness.test_runs import planned, said
from tests.recorded.copies import COPIES


def test_a_combined_run_quotes_what_was_asked_of_each(tmp_path: Path) -> None:
    for at, name in enumerate(("first", "second", "third")):
        run = planned(tmp_path / name, [COPIES[at]])
        content = {"question": f"what of {name}?", "rope": 0.005, "criterion": "val_unseen/macro/aupr"}
        entry = {"content": content, "previous": "", "sha256": entry_hash(content, "")}
        (run / ASKED).write_text(json.dumps({"entries": [entry]}))
        (run / "provenance.json").write_text(json.dumps({"preregistration": entry["sha256"]}))
    said("combine", tmp_path / "first", tmp_path / "second", "--out", tmp_path / "two")
    said("combine", tmp_path / "two", tmp_path / "third", "--out", tmp_path / "all")
    parts = [str(part) for part in preregistration_view(Run.open(tmp_path / "all"))]
    assert [part for part in parts if part.startswith("question")] == [
        f"question: what of {name}?" for name in ("first", "second", "third")
    ]
    assert not [part for part in parts if "changed" in part or "gone" in part]
