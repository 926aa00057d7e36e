"""What a sweep asks, written into the run before its first step: entries that are added and never changed."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.arms import PlannedArm
from analysis.contrasts import corrected_families
from analysis.pilot import PilotSpread
from analysis.preregistration import FILE, entry_hash
from harness.config.blocks.design import Staged
from harness.config.sweep.sweep import Sweep
from harness.design.plan import Plan
from harness.store.damaged import put_aside
from harness.store.writer import replace_atomically
from harness.sweep.run.stored import stored_units

CIRCUMSTANCES = ("date", "units_before", "spread")
"""What of an entry says when it was made, and not what was asked."""
Content = dict[str, Any]


def planned_arms(plan: Plan) -> dict[str, PlannedArm]:
    """Configuration -> arm, of those that are asked for and have a name."""
    arms = {config: plan.configs[config] for config in plan.asked}
    return {
        config: PlannedArm(each.arm, each.family, each.mechanism, each.along, each.levels, each.note)
        for config, each in arms.items()
        if each.arm
    }


def question_of(sweep: Sweep) -> str:
    """The key `question`, or the comment that the YAML begins with: up to a blank line or its launch command."""
    if sweep.config.question:
        return sweep.config.question
    words: list[str] = []
    for line in sweep.text.splitlines():
        text = line.lstrip("#").strip()
        if not line.startswith("#") or text.startswith("Launch:"):
            break
        if not text.startswith("yaml-language-server:"):
            words.append(text.removeprefix("Asks:").strip())
    return " ".join(filter(None, words))


def asked_of(sweep: Sweep, plan: Plan, spread: PilotSpread | None) -> Content:
    """What is preregistered of a plan: question, design, families, criterion, region of no effect, seeds and
    folds; and the spread that the number of seeds was judged by."""
    config = sweep.config
    families = corrected_families(planned_arms(plan))
    if isinstance(config.of_design, Staged):
        families = {"path": {"the step before": ["each step, on the seeds that did not choose it"]}}
    return {
        "question": question_of(sweep),
        "design": config.design.model_dump(mode="json"),
        "families": families,
        "criterion": config.objective,
        "rope": config.rope,
        "seeds": list(plan.seeds),
        "folds": {fold: plan.label(fold) for fold in plan.folds},
        "data": plan.data,
        "spread": None if spread is None else {"sd": spread.sd, "source": spread.source},
    }


def stored_entries(run: Path) -> list[dict[str, Any]]:
    """The entries of a run; none where there is no file, or one that cannot be read."""
    try:
        entries: list[dict[str, Any]] = json.loads((run / FILE).read_text(encoding="utf-8"))["entries"]
        return [entry for entry in entries if {"content", "previous", "sha256"} <= entry.keys()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def preregister(run: Path, content: Mapping[str, Any]) -> str:
    """Add an entry where the last one asked something else; the hash of the first one, which later starts write down too.
    A file that cannot be read is put aside."""
    entries = stored_entries(run)
    if not entries and (run / FILE).exists():
        put_aside(run / FILE)
    if not entries or _asked(entries[-1]["content"]) != _asked(content):
        previous = str(entries[-1]["sha256"]) if entries else ""
        now = datetime.now(UTC).date().isoformat()
        whole = {**content, "date": now, "units_before": len(stored_units(run))}
        entry = {"content": whole, "previous": previous, "sha256": entry_hash(whole, previous)}
        entries = [*entries, entry]
        replace_atomically(run / FILE, (json.dumps({"entries": entries}, indent=1) + "\n").encode())
    return str(entries[0]["sha256"])


def differences(run: Path, content: Mapping[str, Any]) -> list[str]:
    """What this start asks otherwise than the first entry of the run, in sentences."""
    entries = stored_entries(run)
    if not entries:
        return []
    first = entries[0]["content"]
    said = []
    if first.get("question") != content["question"]:
        said.append(f"the question was preregistered as: {first.get('question') or 'none'}")
    if first.get("rope") != content["rope"]:
        said.append(
            f"the region of no effect was preregistered as ±{first.get('rope')}, and is ±{content['rope']:g} now"
        )
    if first.get("families") != content["families"]:
        said.append("the family of comparisons is another one than was preregistered")
    return said


def _asked(content: Mapping[str, Any]) -> Content:
    return {key: value for key, value in content.items() if key not in CIRCUMSTANCES}
