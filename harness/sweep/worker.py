"""The Ray worker: the seeds of one trial, an epoch at a time, in a process that is used again."""

import math
import os
import socket
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from ray._raylet import setproctitle  # type: ignore[attr-defined]
from ray.tune import Trainable

from analysis.errors import UserError
from harness.audit.unit_inspector import AuditInspector
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.use import UseFile, load_use, place_of
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.data.frozen import FrozenDataset
from harness.design.trial import Trial
from harness.stamp.code import Code, Source
from harness.stamp.stamp import Stamp, package_versions
from harness.store.failing import fail
from harness.store.storage import StoreUnwritable
from harness.store.writer import RunWriter, replace_atomically
from harness.sweep.cluster.packing import PLAIN, Packing
from harness.sweep.cluster.shipping import Shipping
from harness.sweep.run.bare_row import bare_row
from harness.sweep.run.shared import refuse_unshared
from harness.sweep.run.statuses import ENDED, judged
from harness.sweep.run.verdict import Verdict
from harness.trained.features import features_of
from harness.trial.fresh import fresh_globals
from harness.trial.garbage import settle
from harness.trial.summary import EpochSummary
from harness.trial.taking import StackedUnits
from harness.trial.unit_run import UnitRun


@dataclass(frozen=True)
class Work:
    """What every worker of a sweep needs to know; small, since data travel as a path."""

    run: Path
    folds: tuple[Fold, ...]
    objective: str
    stop_rules: tuple[str, ...]
    device: str
    threads: int
    scheduler: str = ""
    """The scheduler's settings as JSON: a verdict of another one does not count."""
    stamp: Stamp | None = None
    """What the driver found that its units are made with."""
    use: tuple[UseFile, ...] = ()
    """A person's files, which register what a configuration may name."""
    mark: str | None = None
    """What the driver's run folder is told by on another node."""
    shipping: Shipping | None = None
    """Where a node gets the encoded data from that does not see the driver's."""
    stacked: bool = False
    """Whether the seeds of a trial train as one stack (`trial.replicates`)."""
    sides: Path | None = None
    """The run with the sequence sides that are frozen in its configurations; None where they train their own."""
    packing: Packing = PLAIN
    """How the configurations of the assignments are written."""
    sources: Mapping[str, Source] | None = None
    """What the driver has parsed of the code, so that a worker need but compare the bytes."""

    def prune(self, config: str, sentence: str, units: Iterable[str]) -> None:
        """Ask the configuration's workers, on all of its folds, to evaluate what was trained of `units` and end."""
        Verdict(sentence, self.objective, self.scheduler, tuple(units)).write(self.run, config)

    def verdict(self, config: str, units: Iterable[str]) -> str | None:
        """Why the configuration is to end early; None when it is not, or was to in other circumstances."""
        verdict = Verdict.read(self.run, config)
        if verdict is None or not verdict.binds(units, objective=self.objective, scheduler=self.scheduler):
            return None
        return verdict.sentence


class TrialWorker(Trainable):
    """A trial after the other: `step()` advances every unfinished unit by one epoch, the ones that a kill left behind
    first. It holds the units of one trial, so that its memory does not grow with the folds of a sweep.

    Reported each epoch: `epoch`, `objective` (mean over units of the best epoch so far), `done`, `status`, `statuses`
    per unit, how many `diverged` of how many `units`, mean headline metrics, and the warnings that hold. A unit that
    diverges ends alone and is left out of the means. Units that an earlier start finished count with what they reached.
    Everything durable is written by the units, so Tune keeps no checkpoint: a worker that dies is started again
    and its units resume themselves. A unit that meets an error ends as failed instead of being tried again, the
    others go on; what the configuration itself is at fault for ends all of them. A disk that takes nothing more ends
    none: the report is `paused` with the reason, and every unit goes on later after its last epoch.
    """

    def setup(self, config: dict[str, Any], work: Work | None = None) -> None:
        assert work is not None
        self.work = work
        self.dataset: EncodedDataset | None = None
        self.frozen: dict[Path, FrozenDataset] = {}
        self.notes: list[str] = []
        self.unusable = ""
        try:
            load_use(work.use)
        except UserError as error:
            self.unusable = f"a worker cannot use what the sweep brought: {error}"
        if work.stamp is not None:
            Code.today(work.sources)  # read now, with the modules that were just loaded
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Leave the previous trial behind entirely and take the next one."""
        self.unit_runs: list[UnitRun] | None = None
        self.stack = StackedUnits()
        settle()  # to search what is loaded again would take longer than to build the next trial
        fresh_globals(self.work.threads)
        self.trial = Trial(str(new_config["configuration"]), str(new_config["fold"]))
        self.assignment = new_config
        return True

    def step(self) -> dict[str, Any]:
        began = time.perf_counter()
        # What Ray's dashboard and `ps` call the process; Ray puts its own title back after the call.
        setproctitle(f"ray::{self.assignment['name']}.train()")
        try:
            report = self._advanced()
        except StoreUnwritable as error:
            report = self._paused(str(error))
        return {
            "configuration": self.trial.config_id,
            "fold": self.trial.fold,
            "paused": "",
            **report,
            "notes": self._notes(),
            "pid": os.getpid(),
            "seconds": time.perf_counter() - began,
        }

    def cleanup(self) -> None:
        self.unit_runs = None

    def _advance(self) -> dict[str, Any]:
        if self.unit_runs is None:
            self.unit_runs = self._open()
        active = [unit_run for unit_run in self.unit_runs if not unit_run.finished]
        verdict = self.work.verdict(self.trial.config_id, [unit_run.unit for unit_run in self.unit_runs])
        metrics: list[dict[str, float]] = []
        warned: set[str] = set()
        if verdict is not None:
            for unit_run in active:
                unit_run.close("pruned", verdict)
        elif active:
            behind = min(unit_run.epoch for unit_run in active)
            for unit_run, summary in self._epochs_of([each for each in active if each.epoch == behind]):
                if summary is None:
                    continue
                if unit_run.status != "diverged":
                    metrics.append(summary.metrics)
                warned |= {finding.rule for finding in summary.findings}
                if unit_run.stopped_by_audit:
                    # What is dead or broken in one seed is dead or broken in all.
                    for other in active:
                        if not other.finished:
                            other.close("stopped", str(unit_run.row["reason"]))
                    break
        return self._report(metrics, warned)

    def _advanced(self) -> dict[str, Any]:
        try:
            return self._advance()
        except StoreUnwritable:
            raise
        except UserError as error:
            return self._failed(str(error))
        except Exception as error:  # noqa: BLE001  # the worker ends here: what it died of goes into the store
            return self._failed(self._kept(error))

    def _epochs_of(self, unit_runs: list[UnitRun]) -> Iterator[tuple[UnitRun, EpochSummary | None]]:
        """Advance the units; one that meets an error ends as failed, with its epochs, and the others go on."""
        alone = ((unit_run, _attempt(unit_run)) for unit_run in unit_runs)
        for unit_run, reached in self.stack.advance(unit_runs) if self.work.stacked else alone:
            if isinstance(reached, UserError):
                raise reached
            if isinstance(reached, Exception):
                unit_run.close("failed", self._kept(reached))
            yield unit_run, None if isinstance(reached, Exception) else reached

    def _open(self) -> list[UnitRun]:
        if self.unusable:
            raise UserError(self.unusable)
        self._refuse_other_place()
        dataset = self._data()
        config = ConfigurationBlock.model_validate(self._content())
        self._refuse_other_code()
        seeds: list[int] = self.assignment["seeds"]
        return [
            UnitRun(
                config,
                self._shown(dataset, config, seed),
                self._fold(),
                seed,
                RunWriter(self.work.run),
                changes=self.assignment["changes"],
                objective=self.work.objective,
                device=self.work.device,
                stop_rules=self.work.stop_rules,
                inspector=AuditInspector,
                twins=seed == seeds[0],
                stamp=self.work.stamp,
                shares=self.assignment["shares"],
            )
            for seed in seeds
        ]

    def _content(self) -> dict[str, Any]:
        """The configuration of the trial, as plain data."""
        return self.work.packing.unpack(self.assignment["config"])

    def _data(self) -> EncodedDataset:
        """The encoded data of the trial, mapped; kept for the next one."""
        view = Path(self.assignment["dataset"])
        if self.dataset is None or self.dataset.path != view:
            sent = self.work.shipping.bring(view) if self.work.shipping else None
            self.notes += [sent] if sent else []
            self.dataset, self.frozen = EncodedDataset.open(view), {}
        return self.dataset

    def _shown(self, dataset: EncodedDataset, config: ConfigurationBlock, seed: int) -> EncodedDataset:
        """The data as a unit sees them: with the features of a frozen sequence side in place of windows where it has
        one."""
        if not config.frozen or self.work.sides is None:
            return dataset
        device = torch.device(self.work.device)
        features = features_of(self.work.sides, config.frozen, self._fold(), seed, dataset, device)
        if features.path not in self.frozen:
            self.frozen[features.path] = FrozenDataset(dataset, features)
        return self.frozen[features.path]

    def _fold(self) -> Fold:
        return next(fold for fold in self.work.folds if fold.id == self.trial.fold)

    def _refuse_other_place(self) -> None:
        """Raise StoreUnwritable on a node where nothing can run: another run folder, or no GPU for those who need one."""
        if self.work.mark is not None:
            refuse_unshared(self.work.run, self.work.mark)
        if self.work.device == "cuda" and not torch.cuda.is_available():
            raise StoreUnwritable(
                f"node {socket.gethostname()} was to train on a GPU, and torch {torch.__version__} can use none there; "
                "mend the node or leave it out of the cluster"
            )

    def _refuse_other_code(self) -> None:
        """Raise UserError on a worker whose code or packages differ from what the sweep was started with."""
        stamp = self.work.stamp
        if stamp is None:
            return
        current = replace(stamp, code=Code.today().hash, versions=package_versions())
        differences = current.differences(stamp.row(), self.work.run)
        if differences:
            raise UserError(
                f"a worker found {'; '.join(differences.values())}, and would not run what the sweep was started with; "
                "start the sweep again"
            )

    def _report(self, metrics: list[dict[str, float]], warned: set[str]) -> dict[str, Any]:
        assert self.unit_runs is not None
        ended: dict[str, tuple[str, float | None]] = self.assignment["finished"]
        reached = {**ended, **{r.unit: (r.status, r.row["objective_value"]) for r in self.unit_runs}}
        statuses = {unit: status for unit, (status, _) in reached.items()}
        worst, objective = judged(reached)
        done = all(unit_run.finished for unit_run in self.unit_runs)
        diverged = sum(status == "diverged" for status in statuses.values())
        return {
            "epoch": max(unit_run.epoch for unit_run in self.unit_runs),
            "objective": objective,
            "done": done,
            "status": worst if done else "running",
            "statuses": statuses,
            "ended": _ended(statuses),
            "diverged": diverged,
            "units": len(statuses),
            "reason": self._reason(diverged, len(statuses)),
            # As pairs: of each number that a report names by itself Tune keeps some 2 KiB of running figures per trial.
            "metrics": [(name, sum(m[name] for m in metrics) / len(metrics)) for name in metrics[0]]
            if metrics
            else [],
            "warned": sorted(warned),
        }

    def _reason(self, diverged: int, unit_runs: int) -> str:
        """Why units ended before their last epoch: those that diverged are counted, any other says its reason."""
        assert self.unit_runs is not None
        told = [(unit_run.status, unit_run.row["reason"]) for unit_run in self.unit_runs]
        if not diverged:
            return next((reason for _, reason in told if reason), "")
        first = next((reason for status, reason in told if status == "diverged"), "in an earlier start")
        return f"{diverged} of {unit_runs} units diverged: {first}"

    def _failed(self, sentence: str) -> dict[str, Any]:
        """Every unfinished unit ends as failed; one that could not even be built gets its row all the same."""
        statuses = {unit: status for unit, (status, _) in self.assignment["finished"].items()}
        built = {unit_run.unit: unit_run for unit_run in self.unit_runs or []}
        for seed in self.assignment["seeds"]:
            unit = self.trial.unit(seed)
            if unit in built:
                statuses[unit] = self._closed(built[unit], sentence)
            else:
                fail(self.work.run, unit, self._bare_row(seed, sentence))
                statuses[unit] = "failed"
        return {**self._nothing(statuses), "status": "failed", "reason": sentence}

    def _closed(self, unit_run: UnitRun, sentence: str) -> str:
        """Status of a unit that ends as failed unless it has ended; one whose log is gone gets a new one for that."""
        if unit_run.finished:
            return unit_run.status
        try:
            unit_run.close("failed", sentence)
        except StoreUnwritable:
            raise
        except UserError:
            fail(self.work.run, unit_run.unit, {**unit_run.row, "reason": sentence})
            return "failed"
        return unit_run.status

    def _paused(self, sentence: str) -> dict[str, Any]:
        """Nothing can be written: the units stay as they are on disk, and go on with the next start of the sweep."""
        statuses = {unit: status for unit, (status, _) in self.assignment["finished"].items()}
        statuses |= {unit_run.unit: unit_run.status for unit_run in self.unit_runs or []}
        return {**self._nothing(statuses), "status": "running", "reason": sentence, "paused": sentence}

    def _nothing(self, statuses: dict[str, str]) -> dict[str, Any]:
        return {
            "epoch": max((unit_run.epoch for unit_run in self.unit_runs or []), default=0),
            "objective": math.nan,
            "done": True,
            "statuses": statuses,
            "ended": _ended(statuses),
            "diverged": sum(status == "diverged" for status in statuses.values()),
            "units": len(statuses),
            "metrics": [],
            "warned": [],
        }

    def _bare_row(self, seed: int, reason: str) -> dict[str, Any]:
        return bare_row(
            self.trial.config_id,
            self._fold(),
            seed,
            content=self._content(),
            changes=self.assignment["changes"],
            objective=self.work.objective,
            device=self.work.device,
            stamp=self.work.stamp,
            reason=reason,
        )

    def _kept(self, error: Exception) -> str:
        """The error in a sentence; its traceback goes to a file."""
        file = self.work.run / "errors" / f"{self.trial.config_id}-{self.trial.fold}.txt"
        replace_atomically(file, "".join(traceback.format_exception(error)).encode())
        place = place_of(error)
        return f"{place}: {type(error).__name__}: {error}" if place else f"{type(error).__name__}: {error}"

    def _notes(self) -> list[str]:
        """What was put aside since the last report, in sentences."""
        said = [*self.notes, *(note for unit_run in self.unit_runs or [] for note in unit_run.record.notes)]
        self.notes = []
        for unit_run in self.unit_runs or []:
            unit_run.record.notes = []
        return said


def _attempt(unit_run: UnitRun) -> EpochSummary | Exception:
    """Advance a unit by one epoch; the error that it met is told to who asks."""
    try:
        return unit_run.advance()
    except Exception as error:  # noqa: BLE001  # one unit ends here: what it died of goes into the store
        return error


def _ended(statuses: dict[str, str]) -> list[str]:
    """Units that ended with a result; a list, since Tune takes mappings apart before it hands a result on."""
    return [unit for unit, status in statuses.items() if status in ENDED]
