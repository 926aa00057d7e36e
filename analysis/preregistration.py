"""What was asked before the first step of a run: read, checked against its hashes, and quoted."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from analysis.output import counted
from analysis.schema import PROVENANCE
from analysis.store import Run

FILE = "preregistration.json"
CARRIED = "preregistrations"
"""RUN/preregistrations/NUMBER-NAME/ is what a combined run has of the one called NAME: what was preregistered of it, and
its provenance."""
WORDS = {
    "criterion": "criterion",
    "rope": "region of no effect",
    "seeds": "seeds",
    "folds": "folds",
    "families": "family",
}
"""What of an entry a later one may change, as a person calls it; the question is said in full."""


def entry_hash(content: Mapping[str, Any], previous: str) -> str:
    """SHA-256 over the canonical JSON of an entry and of the hash of the one before it (empty for the first)."""
    text = json.dumps({"content": content, "previous": previous}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Preregistration:
    """`first` and `latest` content, the hash of the first entry, how many `entries` there are, and `problems`: what was
    changed after the fact, in sentences."""

    first: Mapping[str, Any]
    latest: Mapping[str, Any]
    sha256: str
    entries: int
    problems: tuple[str, ...]
    tampered: bool = False
    """Whether an entry is not what was written, or not the one that was: nothing of it is relied on."""

    @property
    def seeds(self) -> list[int]:
        return [int(seed) for seed in self.first.get("seeds", ())]

    @property
    def names(self) -> list[str]:
        """Every member of its families."""
        families = self.first.get("families", {}).values()
        return [str(name) for members in families for names in members.values() for name in names]

    @property
    def rope(self) -> float:
        return float(self.first["rope"])

    @property
    def criterion(self) -> str:
        """The objective."""
        return str(self.first["criterion"])


def preregistration(run: Run) -> Preregistration | None:
    """What was preregistered; None where nothing was, or the file holds nothing readable (said in the run's problems)."""
    entries = run.document(FILE).get("entries", [])
    try:
        contents = [dict(entry["content"]) for entry in entries]
        hashes = [(str(entry["sha256"]), str(entry["previous"])) for entry in entries]
        if not contents:
            return None
        float(contents[0]["rope"]), str(contents[0]["criterion"])
    except (TypeError, KeyError, ValueError) as error:
        problem = f"{FILE} cannot be read: {type(error).__name__}: {error}"
        run.problems += [] if problem in run.problems else [problem]
        return None
    problems = []
    before = ""
    for number, (content, (sha256, previous)) in enumerate(zip(contents, hashes, strict=True), start=1):
        if previous != before or entry_hash(content, previous) != sha256:
            problems.append(
                f"entry {number} of {FILE} is not what was written: it was changed after the fact"
            )
        before = sha256
    witnessed = _witnessed(run)
    if witnessed is not None and witnessed not in (sha256 for sha256, _ in hashes):
        problems.append(
            f"{PROVENANCE} knows of a first entry {witnessed[:12]}, which {FILE} has not: it was replaced after the fact"
        )
    tampered = bool(problems)
    first, latest = contents[0], contents[-1]
    if first.get("question") != latest.get("question"):
        problems.append(
            f"the question was changed by a later start; it is now: {latest.get('question') or 'none'}"
        )
    changed = [word for key, word in WORDS.items() if first.get(key) != latest.get(key)]
    if changed:
        problems.append(f"a later start changed {', '.join(changed)}")
    return Preregistration(first, latest, hashes[0][0], len(contents), tuple(problems), tampered)


@dataclass(frozen=True)
class Asked:
    """What was asked before the first step of a run: `known`, or `lost`, a sentence where it is not known any more; of a
    combined run `where` says of which of those that it was made of."""

    where: str
    known: Preregistration | None
    lost: str | None


def asked_before(run: Run) -> list[Asked]:
    """What was preregistered of a run, and of each that a combined run was made of; empty where nothing was."""
    carried = sorted((run.path / CARRIED).glob("*"))
    asked = []
    for folder in carried:
        source = Run(folder)
        asked.append(_asked(source, f" in {folder.name.partition('-')[2]}"))
        said = [f"{CARRIED}/{folder.name}: {problem}" for problem in source.problems]
        run.problems += [problem for problem in said if problem not in run.problems]
    if not carried:
        asked.append(_asked(run, ""))
    return [each for each in asked if each.known or each.lost]


def _asked(run: Run, where: str) -> Asked:
    known = preregistration(run)
    witnessed = _witnessed(run) if known is None else None
    if witnessed is None:
        return Asked(where, known, None)
    return Asked(
        where,
        None,
        f"Preregistration{where}: {PROVENANCE} knows of one ({witnessed[:12]}), and {FILE} is gone or empty: what was "
        "asked before the first step is not known any more",
    )


def preregistration_view(run: Run) -> Iterator[RenderableType]:
    """The footer of a report: what was asked before the first step, and what was changed since; nothing without it. A
    combined run quotes what was asked of each that it was made of."""
    for asked in asked_before(run):
        if asked.known is not None:
            yield from _quoted(asked.known, asked.where)
        else:
            yield Text(f"\n{asked.lost}", style="bold red")


def _quoted(known: Preregistration, where: str) -> Iterator[RenderableType]:
    content = known.first
    late = content.get("units_before")
    when = f"when {counted(late, 'unit')} had run already" if late else "before the first step"
    yield Text(
        f"\nPreregistered{where} {content.get('date', '')}, {when} ({known.sha256[:12]})", style="bold"
    )
    yield Text(f"question: {content.get('question') or 'none was given'}")
    size = (
        f"{counted(len(content.get('seeds', [])), 'seed')}, {counted(len(content.get('folds', {})), 'fold')}"
    )
    yield Text(f"criterion: {known.criterion}; no effect: within ±{known.rope:g}; {size}")
    for family, members in content.get("families", {}).items():
        for against, names in members.items():
            yield Text(f"family {family} ({len(names)}) against {against}: {', '.join(names)}")
    if not content.get("families"):
        yield Text("family: none; what is found is exploratory")
    for problem in known.problems:
        yield Text(f"changed: {problem}", style="bold red")


def _witnessed(run: Run) -> str | None:
    """Hash of the first entry as the oldest start that knew of one wrote it down elsewhere."""
    newest = run.document(PROVENANCE)
    earlier = newest.get("earlier", [])
    starts = [*(earlier if isinstance(earlier, list) else []), newest]
    known = [
        start["preregistration"]
        for start in starts
        if isinstance(start, dict) and start.get("preregistration")
    ]
    return str(known[0]) if known else None
