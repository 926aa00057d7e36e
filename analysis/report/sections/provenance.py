"""What the numbers were made with."""

import json
from collections.abc import Sequence
from typing import ClassVar

from analysis.report.content import Block, Facts, Paragraph
from analysis.report.material import Material
from analysis.report.section import Section
from analysis.schema import PROVENANCE


class Provenance(Section):
    """Hashes of code and data, versions, machine and time."""

    key: ClassVar[str] = "provenance"

    def blocks(self, material: Material) -> Sequence[Block] | None:
        text, units = material.texts, material.run.table("units")
        written = material.run.document(PROVENANCE)
        versions = {
            name: version
            for each in units["versions"].dropna().unique()
            for name, version in json.loads(each or "{}").items()
        } | written.get("packages", {})
        git = written.get("git") or {}
        commit = str(git.get("commit") or "")
        dirty = text("provenance.dirty") if git.get("dirty") else ""
        devices = [str(device) for device in units["device"].dropna().unique() if device]
        machine = [str(written.get("platform") or ""), *map(str, written.get("gpus") or ())]
        if written.get("cpus"):
            machine.append(text.count("core", int(written["cpus"])))
        seconds = float(units["wall_s"].sum())
        facts = {
            "code": ", ".join(units["code"].dropna().unique()),
            "commit": f"{commit}{dirty}" if commit else "",
            "data": ", ".join(units["data"].dropna().unique()),
            "origin": str((written.get("data") or {}).get("origin") or ""),
            "versions": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
            "machine": ", ".join(part for part in machine if part),
            "device": ", ".join(devices),
            "started": str(written.get("started") or "")[:16].replace("T", " "),
            "time": _spent(seconds, material),
        }
        pairs = [(text(f"provenance.{name}"), value) for name, value in facts.items() if value]
        notes = [
            Paragraph(text("provenance.unread", problem=each), tone="alert") for each in material.run.problems
        ]
        return [Facts(pairs), *notes] if pairs or notes else None


def _spent(seconds: float, material: Material) -> str:
    if not seconds:
        return ""
    if seconds < 3600:
        return material.texts("provenance.minutes", minutes=f"{seconds / 60:.0f}")
    return material.texts("provenance.hours", hours=f"{seconds / 3600:.3g}")
