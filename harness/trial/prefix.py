"""Phase 1 of a unit, which other units may have trained already: the shared prefix of a stage tree."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from harness.config.blocks.reads import Reads, answers
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.stamp.stamp import Stamp
from harness.store.damaged import put_aside
from harness.store.storage import StoreUnwritable, reason
from harness.store.writer import RunWriter
from harness.trial.checkpoint import Checkpoints, Damaged
from harness.trial.episodes.sampler import build_sampler
from harness.trial.step.holdings import digests, hold, holdings
from harness.trial.step.shared_log import log_of, stored_log
from harness.trial.step.trainer import StepLog, Trainer
from models.streams import other_streams

FOLDER = "prefix"
"""Folder of a run with the epochs of phase 1 that its units share; it goes when the run has finished."""
Row = dict[str, Any]


@dataclass(frozen=True)
class SharedEpoch:
    """An epoch of phase 1 as the unit `unit` trained it: what its steps said, and the state of its `inspection` after them
    (None: nobody looked on)."""

    unit: str
    logs: list[StepLog]
    inspection: Row | None


class Prefix:
    """What a unit shares of phase 1 with others of its run: `offered` takes an epoch, `leave` leaves one.

    Two units share phase 1 where `early` reads of one are answered alike by both, on the same fold, seed, data, code,
    device and number of threads: a trial is deterministic, so that whoever gets the same answers goes on to ask the same
    questions, and comes to the same numbers. What phase 1 leaves as it was (the environment side, which rests) is each
    unit's own. That the answers are all that matters is not taken on trust: a unit takes the first step of phase 1
    itself, and goes on with another's epochs only where every tensor that those change is then equal, bit by bit. An epoch
    of one step is taken whole, where they are equal before it.

    Made before its unit resumes, since it notes the initial state. `notes`: sentences for a person.
    """

    def __init__(
        self,
        run: RunWriter,
        unit: str,
        trainer: Trainer,
        reads: Reads,
        context: Mapping[str, Any],
        *,
        on: bool,
    ) -> None:
        self.unit, self.trainer, self.reads = unit, trainer, reads
        self.on = on and trainer.schedule.phase1_epochs > 0
        self.notes: list[str] = []
        self.record = answers(reads.config, reads.early)
        self.folder = run.path / FOLDER / prefix_key(self.record, context)
        self._initial = digests(holdings(trainer)) if self.on else {}
        self._met: dict[tuple[str, ...], str] = {}
        self._taken = 0
        """The last epoch that was another unit's."""

    def offered(self, epoch: int, position: int, steps: int, *, inspected: bool) -> SharedEpoch | None:
        """What another unit has trained of an epoch (1-based) of so many steps, once the trainer holds it; None where it is
        to take step number `position` (from 0) of the epoch itself."""
        if not self._shares(epoch) or position != (min(1, steps - 1) if epoch == 1 else 0):
            return None
        self._met = digests(holdings(self.trainer))
        state = self._load(epoch)
        if state is None or (inspected and state["inspection"] is None):
            return None
        differs = [name for name, digest in state["met"].items() if self._met.get(name) != digest]
        if differs:
            self._stop(f"phase 1 of {state['unit']} is another one ({' '.join(differs[0])} differs)")
            return None
        hold(self.trainer, state["tensors"], state["index"])
        self._taken = epoch
        logs = [log_of(log, self.trainer) for log in state["logs"]]
        return SharedEpoch(state["unit"], logs, state["inspection"])

    def leave(self, epoch: int, logs: Sequence[StepLog], inspection: Row | None) -> None:
        """Leave an epoch that the trainer has just trained by itself for other units."""
        if not self._shares(epoch) or epoch == self._taken or self._load(epoch) is not None:
            return
        late = answers(self.reads.config, self.reads.early).keys() - self.record.keys()
        if late:
            self._stop(f"phase 1 read {', '.join(sorted(late))} when it had begun")
            return
        held = holdings(self.trainer)
        changed = {
            name: value for name, value in held.items() if self._initial.get(name) != _digest_of(name, value)
        }
        state = {
            "unit": self.unit,
            "record": json.dumps(self.record),
            "met": {name: self._met[name] for name in changed if name in self._met},
            "tensors": changed,
            "index": self.trainer.index,
            "logs": [stored_log(log, self.trainer) for log in logs],
            "inspection": inspection,
        }
        with self._unwritable():
            Checkpoints(self.folder).save(f"epoch-{epoch}", state)

    def _shares(self, epoch: int) -> bool:
        return self.on and epoch <= self.trainer.schedule.phase1_epochs

    def _load(self, epoch: int) -> dict[str, Any] | None:
        """None for an epoch that nobody has left, or that cannot be read: it is trained again, and left again."""
        try:
            return Checkpoints(self.folder).load(f"epoch-{epoch}", self.trainer.device)
        except Damaged as error:
            with self._unwritable():
                aside = put_aside(error.file)
                self.notes.append(f"{FOLDER}/{self.folder.name}/{error} and was put aside as {aside.name}")
            return None

    @contextlib.contextmanager
    def _unwritable(self) -> Iterator[None]:
        """Share nothing any more where the folder cannot be written: sharing is a saving, and the unit goes on without it.
        The note names no unit, so that it is one for all of them."""
        try:
            yield
        except StoreUnwritable as error:
            self.on = False
            self.notes.append(
                f"{FOLDER}/ cannot be written ({reason(error)}): units train phase 1 themselves and share it no more"
            )

    def _stop(self, why: str) -> None:
        self.on = False
        self.notes.append(f"unit {self.unit} shares no more of phase 1: {why}")


def pools_of(dataset: EncodedDataset, codes: np.ndarray, train: np.ndarray) -> list[np.ndarray]:
    """Training pairs of each training cell line."""
    return [train[dataset.cell[train] == code] for code in codes]


def phase1_questions(
    config: ConfigurationBlock, dataset: EncodedDataset, codes: np.ndarray, train: np.ndarray
) -> frozenset[str]:
    """What phase 1 of a configuration reads (`Reads.early`): all that a unit builds for it is built, and nothing is
    trained. `codes`: training cell lines, `train`: training pairs.

    Raises what the building of a unit raises for a configuration that cannot be trained.
    """
    reads = Reads(config)
    seed = other_streams(0, reads.first.streams)
    names = [dataset.cell_lines[code] for code in codes]
    build_sampler(reads.first, pools_of(dataset, codes, train), names, seed)
    Trainer(reads.view, dataset, codes, seed, torch.device("cpu"), reads)
    return frozenset(reads.early)


def circumstances(
    fold: Fold, seed: int, dataset: EncodedDataset, stamp: Stamp | None, device: torch.device
) -> Row:
    """What decides the numbers of phase 1 beside the configuration."""
    return {
        "fold": fold.id,
        "seed": seed,
        "data": [dataset.hash, dataset.enhancers.shape[1], dataset.promoters.shape[1]],
        "code": None if stamp is None else [stamp.code, stamp.versions],
        "device": [str(device), torch.get_num_threads()],
        **({} if dataset.frozen is None else {"features": dataset.frozen.digest}),
    }


def prefix_key(record: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Name of the folder of a phase 1: a hash of what it read, and of what else decides its numbers."""
    text = json.dumps([record, context], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest_of(name: tuple[str, ...], value: torch.Tensor) -> str:
    return digests({name: value})[name]
