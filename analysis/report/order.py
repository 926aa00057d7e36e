"""The sections of a report in their order; another one is a file in `sections`, its sentences, and a line here."""

from collections.abc import Sequence

from analysis.report.section import Section
from analysis.report.sections.again import Again
from analysis.report.sections.audited import Audited
from analysis.report.sections.cell_lines import PerCell
from analysis.report.sections.confirmed import Confirmed
from analysis.report.sections.curves import TrainingCurves
from analysis.report.sections.effects import Effects
from analysis.report.sections.parallel import Parallel
from analysis.report.sections.precision_recall import PrecisionRecall
from analysis.report.sections.predicted import Predicted
from analysis.report.sections.provenance import Provenance
from analysis.report.sections.question import Question
from analysis.report.sections.shares import Shares
from analysis.report.sections.shortcuts import Shortcuts
from analysis.report.sections.standing import RankingSection
from analysis.report.sections.warned import Warned

SECTIONS: Sequence[Section] = (
    Question(),
    Confirmed(),
    Effects(),
    RankingSection(),
    Warned(),
    TrainingCurves(),
    PerCell(),
    PrecisionRecall(),
    Parallel(),
    Shares(),
    Audited(),
    Predicted(),
    Shortcuts(),
    Provenance(),
    Again(),
)
