"""The tiny trial of one mechanism, broken in one way, and what the audit of that trial says."""

import contextlib
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from analysis.errors import UserError
from harness.audit.audited import WITHOUT_EXAMPLES
from harness.audit.finding import FATAL
from harness.audit.rehearsal import DATA, TINY
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds
from harness.data.store import open_dataset
from harness.mechanisms.alone import TEACHER, alone
from harness.mechanisms.mechanism import Mechanism
from harness.store.writer import RunWriter
from harness.trial.unit_run import UnitRun
from tests.sabotage.tampering import Tampering
from tests.sabotage.way import Way

TRIAL: dict[str, Any] = {
    **TINY,
    "model.encoder": "cnn",
    "model.enhancer_bp": 120,
    "model.promoter_bp": 240,
    "environment.source": "support",
    "environment.width": 8,  # that of z_I, so that the one can be read in place of the other
    "support.draws": 1,
    "optimiser.epochs": 2,
    "optimiser.steps_per_epoch": 2,
}
SECOND = {"loss.contrastive.weight": 0.5}
"""A second term, which waits for phase 2."""
BESIDE: dict[str, dict[str, Any]] = {
    "curriculum": {"curriculum.phase1_epochs": 1, **SECOND},
    "curriculum_ramp": {"curriculum.ramp_epochs": 1.5, **SECOND},
    "ramp": {"balance.epochs": 1.5, **SECOND},
    "grad_norm": {**SECOND, "balance.warmup": 0},
    "pcgrad": {**SECOND, "loss.ranking.weight": 0.5},
    "fixed_weights": SECOND,
    "isolated": {"decouple.pearson": 0.5},
    "shared": {"decouple.pearson": 0.5},
    "bottleneck": {"model.bottleneck": 4},
    "fusion": {**TEACHER, "environment.fusion.alpha": 0.5},
    "fusion_ema": {"loss.distillation.weight": 0.5, "environment.fusion.alpha": 0.5},
    "pseudo_unseen": TEACHER,
    "dual_stream": {"environment.width": 4},
    "per_cell": {"environment.scope": "sample"},
    "gp_posterior": {"environment.prior.over": "prototypes"},
    "gp_prior": {"environment.prior.over": "prototypes"},
}
"""Key of a mechanism -> what it needs beside its own choice to act within two epochs."""


class Result(NamedTuple):
    """`word`: caught, MISSED, or what else there is to say (WORDS); the sentence of the unit or audit; the mechanisms that
    are accused; seconds."""

    word: str
    sentence: str
    accused: tuple[str, ...]
    seconds: float


WORDS = {
    "caught": "the audit ended the unit",
    "MISSED": "the unit ended done",
    "refused": "the trial ended by itself",
    "UNCHANGED": "the sabotage changed nothing: a mistake of the suite",
}


class Bench:
    """One dataset and fold for all trials of the suite; their files are left below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dataset: EncodedDataset = open_dataset(
            DATA,
            enhancer_bp=TRIAL["model.enhancer_bp"],
            promoter_bp=TRIAL["model.promoter_bp"],
            cache=folder / "cache",
            progress=False,
        )
        self.fold: Fold = make_folds(self.dataset, DATA)[0]
        self._numbers = itertools.count()

    def configuration(self, *mechanisms: Mechanism, **others: Any) -> ConfigurationBlock:
        """The tiny trial with the mechanisms switched on. UserError where a tiny trial cannot have them."""
        changes: dict[str, Any] = {}
        for mechanism in mechanisms:
            changes |= {**alone(mechanism), **BESIDE.get(mechanism.key, {})}
            if mechanism.key == "contrastive_relations":
                pairs = itertools.combinations(self.dataset.cell_lines, 2)
                changes["loss.contrastive.relations"] = [{"a": a, "b": b, "weight": 0.9} for a, b in pairs]
        config = compose(compose({}, TRIAL).canonical(), {**changes, **others}).resolved(gpu=False)
        asleep = [each.key for each in mechanisms if not each.configured(config.model_dump())]
        assert not asleep, f"{asleep} are not switched on"
        return config

    def unit_run(self, config: ConfigurationBlock) -> UnitRun:
        """An audited unit in a folder of its own."""
        run = RunWriter(self.folder / f"run-{next(self._numbers)}")
        return UnitRun(config, self.dataset, self.fold, 0, run, **WITHOUT_EXAMPLES)

    def judge(self, mechanism: Mechanism, way: Way) -> Result:
        """Run the broken trial to its end."""
        began = time.monotonic()
        config = self.configuration(mechanism)
        unit_run: UnitRun | None = None
        error = ""
        with Tampering() as tampering:
            way.install(tampering)
            try:
                unit_run = self.unit_run(config)
                while not unit_run.finished:
                    unit_run.advance()
            except (UserError, ArithmeticError, LookupError, RuntimeError, ValueError) as raised:
                error = f"{type(raised).__name__}: {raised}"
            changes = tampering.changes
        accused = accused_in(unit_run)
        status, reason = "failed", error
        if unit_run is not None and not error:
            status, reason = unit_run.status, str(unit_run.row["reason"])
        seconds = time.monotonic() - began
        if not changes:
            return Result("UNCHANGED", f"{status}: {reason}", accused, seconds)
        if status == "stopped" and accused:
            return Result("caught", reason, accused, seconds)
        if status == "done":
            said = f"at its end the audit accused {', '.join(accused)}" if accused else "all passed"
            return Result("MISSED", said, accused, seconds)
        return Result("refused", f"{status}: {reason}", accused, seconds)

    def judge_together(self, broken: Sequence[tuple[Mechanism, Way]]) -> tuple[str, ...]:
        """Break several mechanisms in one trial that is not stopped for any of them, until all are accused or it ends;
        those that are accused."""
        config = self.configuration(*(mechanism for mechanism, _ in broken), audit="warn")
        with contextlib.ExitStack() as stack:
            tamperings = [stack.enter_context(Tampering()) for _ in broken]
            for tampering, (_, way) in zip(tamperings, broken, strict=True):
                way.install(tampering)
            unit_run = self.unit_run(config)
            keys = {mechanism.key for mechanism, _ in broken}
            while not unit_run.finished and not keys <= set(accused_in(unit_run)):
                unit_run.advance()
        for tampering, (mechanism, way) in zip(tamperings, broken, strict=True):
            assert tampering.changes, f"{mechanism.key}, {way.text}: it changed nothing"
        return accused_in(unit_run)


def accused_in(unit_run: UnitRun | None) -> tuple[str, ...]:
    """Mechanisms with a fatal finding, in the order of the findings."""
    rows = [] if unit_run is None else unit_run.audited
    return tuple(dict.fromkeys(row["mechanism"] for row in rows if row["verdict"] in FATAL))
