"""Warning rules: `RULES`, judged after every epoch of a trial and again by the analysis.

A rule is one module that declares a class and enters it with `register`: every module of this package is loaded here,
a person's own file by whoever names it.
"""

import importlib
import pkgutil

from analysis.rules.judging import Judgement, evaluate, judge, not_evaluated, why
from analysis.rules.readings import Readings
from analysis.rules.registry import LIMITS, RULES, check_limits, register
from analysis.rules.rule import Broken, Finding, Reading, Rule
from analysis.rules.table import Table
from analysis.rules.units import UnitRecords, Units
from analysis.rules.watch import Watch

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)

__all__ = [
    "LIMITS",
    "RULES",
    "Broken",
    "Finding",
    "Judgement",
    "Reading",
    "Readings",
    "Rule",
    "Table",
    "UnitRecords",
    "Units",
    "Watch",
    "check_limits",
    "evaluate",
    "judge",
    "not_evaluated",
    "register",
    "why",
]
