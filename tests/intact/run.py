"""One row of the intact matrix as a unit under the strict audit, and who is accused in it."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from analysis.errors import UserError
from harness.audit.unit_inspector import AuditInspector
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds
from harness.data.store import open_dataset
from harness.store.writer import RunWriter
from harness.trial.unit_run import UnitRun
from tests.intact.factors import LONG, MANY, REAL, SHORT, Row, configuration

REPOSITORY = Path(__file__).resolve().parents[2]
PAIRS = REPOSITORY.parent / "shared" / "data" / "epi"
"""Where the real pairs lie beside a checkout, unless a command says otherwise."""
FEW_LINES, MANY_LINES = 9, 30
"""Cell lines of the planted data; of many, the batches that an audit begins with have none in common."""
ACCUSED = ("inert", "leaking", "broken")
"""Verdicts that stop a trial: none may fall on what nobody has broken."""
BROKEN = (RuntimeError, ValueError, LookupError, TypeError, ArithmeticError, AssertionError, UserError)
"""What a trial that crashes raises."""


@dataclass(frozen=True)
class Outcome:
    """How a row ended, and of which configuration: `status` of its unit, crashed, or skipped; a sentence per accusation;
    seconds."""

    name: str
    config: str
    status: str
    reason: str
    accusations: tuple[str, ...]
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether the unit is done and nobody is accused; a row that is skipped is neither clean nor guilty."""
        return self.status == "done" and not self.accusations

    @property
    def guilty(self) -> bool:
        return self.status != "skipped" and not self.clean

    def plain(self) -> dict[str, Any]:
        """A line of the report."""
        return {**asdict(self), "accusations": list(self.accusations)}


@dataclass(frozen=True)
class Data:
    """The datasets of the matrix below a `cache`; the real pairs in the folder `root`."""

    cache: Path
    root: Path = PAIRS

    def missing(self, level: str) -> str:
        """Why there are no such data; empty where there are."""
        if level == REAL and not (self.root / "pairs.parquet").is_file():
            return f"{self.root} has no pairs.parquet: give the folder of the real pairs with --data"
        return ""

    def open(self, level: str) -> tuple[EncodedDataset, Fold]:
        """The dataset of a level of the factor `data`, and its first fold."""
        return _opened(level, self.cache, self.root)


@cache
def _opened(level: str, folder: Path, root: Path) -> tuple[EncodedDataset, Fold]:
    real = level == REAL
    block = DataBlock(root=root, contradictions="drop") if real else DataBlock(synthetic=_planted(level))
    windows = LONG if real else SHORT
    enhancer_bp, promoter_bp = windows["model.enhancer_bp"], windows["model.promoter_bp"]
    dataset = open_dataset(
        block, enhancer_bp=enhancer_bp, promoter_bp=promoter_bp, cache=folder, progress=False
    )
    return dataset, make_folds(dataset, block)[0]


def _planted(form: str) -> SyntheticBlock:
    lines = MANY_LINES if form == MANY else FEW_LINES
    small: dict[str, Any] = {"cell_lines": lines, "pairs_per_cell": 160, "chromosomes": 4, "motifs": 4}
    form = "gated" if form == MANY else form
    return SyntheticBlock(form=form, **small, enhancer_bp=80, promoter_bp=100)  # type: ignore[arg-type]


def unit_of(
    config: ConfigurationBlock,
    dataset: EncodedDataset,
    fold: Fold,
    folder: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> UnitRun:
    """The unit of a configuration below `folder`, with its inspector."""
    return UnitRun(config, dataset, fold, seed, RunWriter(folder), inspector=AuditInspector, device=device)


def run(row: Row, data: Data, folder: Path) -> Outcome:
    """Train the row's unit to its end below `folder`, seed 0."""
    level, config = row.get("data", "gated"), configuration(row)
    if why := data.missing(level):
        return Outcome(row["name"], config.id, "skipped", why, (), 0.0)
    return trained(row["name"], config, lambda: unit_of(config, *data.open(level), folder))


def trained(name: str, config: ConfigurationBlock, begin: Callable[[], UnitRun]) -> Outcome:
    """Train the unit of a configuration that `begin` makes to its end."""
    began = time.perf_counter()
    torch.set_num_threads(1)
    try:
        unit_run = begin()
        while not unit_run.finished:
            unit_run.advance()
        status, reason, rows = unit_run.status, str(unit_run.row["reason"]), unit_run.rows("audit")
    except BROKEN as error:
        status, reason, rows = "crashed", f"{type(error).__name__}: {error}", []
    accusations = [
        f"{each['moment']} {each['id']} {each['mechanism']} {each['verdict']}: {each['reason']}"
        for each in rows
        if each["verdict"] in ACCUSED
    ]
    if status != "done" and not accusations:
        accusations = [f"{status}: {reason}"]
    seconds = round(time.perf_counter() - began, 1)
    return Outcome(name, config.id, status, reason, tuple(accusations), seconds)
