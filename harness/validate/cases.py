"""Cases of planted faults and of healthy units, judged by the rules, one line of JSON each."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from analysis.rules import LIMITS, RULES, UnitRecords, Units, judge
from harness.validate.faults import Fault, judged
from harness.validate.health import TrialUnit

FACTORS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
"""Multiples of a rule's limit that are tried on the tuning half."""
Row = dict[str, Any]


def trained_rows(units: list[TrialUnit], faults: tuple[Fault, ...]) -> Iterator[Row]:
    """One row per unit that was trained: the rules that stand, those that could not be judged, and those that stand at
    other limits."""
    for unit in units:
        judgement = judge(Units.of_one(unit.records))
        yield {
            "unit": unit.name,
            "recipe": unit.recipe,
            "form": unit.form,
            "half": unit.half,
            "seconds": unit.seconds,
            "drowned": unit.drowned,
            "lesson": unit.lesson and {"verdict": unit.lesson.verdict, **asdict(unit.lesson)},
            "raised": sorted({finding.rule for _, finding in judgement.findings}),
            "implied": sorted({finding.rule for _, finding in judgement.findings if finding.implied}),
            "not_evaluated": {rule: units_[0] for rule, units_ in judgement.missing.items() if units_},
            "unable": [rule for rule in RULES if judgement.unable(0, rule)],
            "at": {fault.rule: tuned(unit.records, fault.rule) for fault in faults} if unit.half == 0 else {},
        }


def planted_rows(fault: Fault, units: list[TrialUnit], known: set[int]) -> Iterator[Row]:
    """The cases of one fault that are not `known`, each on a healthy unit that could be judged and was not accused,
    by turns of the two halves. None where no unit of a half can have the fault."""
    fit = [[unit for unit in units if unit.half == half and fault.fits(unit)] for half in (0, 1)]
    if not all(fit):
        return
    for number in range(fault.cases):
        if number in known:
            continue
        half = number % 2
        rng = np.random.default_rng([zlib.crc32(fault.rule.encode()), number])
        unit = fit[half][int(rng.integers(len(fit[half])))]
        records, dose = fault.plant(unit, rng)
        stands, missing = judged(records, fault.rule)
        yield {
            "rule": fault.rule,
            "case": number,
            "unit": unit.name,
            "recipe": unit.recipe,
            "form": unit.form,
            "half": half,
            "dose": dose,
            "raised": stands,
            "not_evaluated": missing,
            "at": tuned(records, fault.rule) if half == 0 else {},
        }


def tuned(records: UnitRecords, rule: str) -> dict[str, bool]:
    """Whether the rule stands at every multiple of its limit; nothing for a limit of 0."""
    if LIMITS[rule] == 0:
        return {}
    return {f"{factor:g}": judged(records, rule, factor)[0] for factor in FACTORS}


def lines(file: Path, code: str) -> list[Row]:
    """The rows of a file of JSON lines that this code wrote; those of another code count for nothing."""
    if not file.is_file():
        return []
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [row for row in rows if row.get("code") == code]


def append(file: Path, rows: Iterator[Row], code: str) -> None:
    """Add rows to a file of JSON lines, each as soon as it is there."""
    with file.open("a", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps({**row, "code": code}) + "\n")
            out.flush()
