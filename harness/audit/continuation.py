"""A unit that is killed goes on as if it had not been: what a checkpoint holds, and what the sampler needs to go on."""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.audit.finding import MechanismFinding
from harness.trial.inspection import Subject
from harness.trial.record import Record
from harness.trial.step.trainer import Trainer

OF_SEQUENCE = ".sequence."


class ContinuationCheck:
    """Compares a trainer as it is, tensor by tensor, with one that has loaded the checkpoint of the last epoch.

    `state` notes what the trainer holds when a checkpoint is written; after a `resume` the first step (`before`) has to
    find it again. At the end (`ended`) a fresh trainer is asked for it, and the sampler for the last epoch's batches again.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.expected: dict[str, int] | None = None
        self.epoch = 0
        self.drawn = 0
        """Hash of the batches of the epoch so far."""
        self.steps = 0

    def before(self, support: np.ndarray, query: np.ndarray, epoch: int) -> list[MechanismFinding]:
        """A step of an epoch (1-based) is about to be taken on these pairs."""
        expected, self.expected = self.expected, None
        self._draw(support, query, epoch)
        text = next(_lost(expected, contents(self.subject.trainer)), "") if expected else ""
        return [_finding(f"the unit goes on with another {text} than it was stored with")] if text else []

    def passed(self, support: np.ndarray, query: np.ndarray, epoch: int) -> None:
        """A step of an epoch on these pairs was another unit's: the trainer holds what that has left."""
        self.expected = None
        self._draw(support, query, epoch)

    def shared(self, state: Mapping[str, int]) -> list[MechanismFinding]:
        """The trainer holds phase 1 as another unit's left it, whose `state` this is: the sequence side and what the
        optimiser remembers of it are that one's."""
        there = contents(self.subject.trainer)
        names = [name for name in state if name == "index" or OF_SEQUENCE in f".{name.replace(' ', '.')}"]
        text = next((name for name in names if there.get(name) != state[name]), "")
        return [_finding(f"phase 1 was taken over from another unit with another {text}")] if text else []

    def _draw(self, support: np.ndarray, query: np.ndarray, epoch: int) -> None:
        if epoch != self.epoch:
            self.epoch, self.drawn, self.steps = epoch, 0, 0
        self.drawn, self.steps = _hashed(self.drawn, support, query), self.steps + 1

    def ended(self, record: Record) -> list[MechanismFinding]:
        """After the last evaluation, while the checkpoint is that of the last epoch."""
        subject, trainer = self.subject, self.subject.trainer
        whole = record.checkpoints.load("last", trainer.device)
        texts = []
        if (
            whole is not None
            and "optimiser" in whole["trainer"]
            and whole["trainer"]["index"] == trainer.index
        ):
            with subject.reads.paused(), torch.random.fork_rng(devices=[]):
                parts = (subject.reads.config, trainer.dataset, subject.codes, trainer.seed, trainer.device)
                fresh = Trainer(*parts)
                fresh.load_state_dict(whole["trainer"])
            text = next(_lost(contents(trainer), contents(fresh)), "")
            texts += [f"a unit that goes on from its checkpoint has another {text}"] if text else []
        again = 0
        # A unit that was killed between its last epoch and its end has drawn nothing since.
        for batch in subject.sampler.epoch(self.epoch) if self.steps else ():
            again = _hashed(again, batch.support, batch.query)
        if again != self.drawn:
            texts.append(
                f"the sampler gives other batches when epoch {self.epoch} is drawn again, as a resumed unit does"
            )
        return [_finding(text) for text in texts]

    def state(self) -> dict[str, int]:
        return contents(self.subject.trainer)

    def resume(self, state: Mapping[str, int]) -> None:
        self.expected = dict(state)


def contents(trainer: Trainer) -> dict[str, int]:
    """Name -> hash of everything that a trainer's next step depends on, as it lies in its parts."""
    parts: dict[str, Any] = {"index": torch.tensor(trainer.index)}
    for root, module in (("model", trainer.model), ("terms", trainer.terms)):
        parts |= {
            f"{root}.{name}": value for name, value in (*module.named_parameters(), *module.named_buffers())
        }
    for key, state in trainer.states.items():
        parts |= {f"state of term {key}: {name}": value for name, value in state.items()}
    parts |= {f"reference {name}": value for name, value in trainer.reference._asdict().items()}
    parts |= {f"memory {name}": value for name, value in trainer.memory.items()}
    parts |= {f"balance {name}": value for name, value in trainer.balance_state.items()}
    for name, parameter in trainer.named_parameters().items():
        moments = trainer.optimiser.state.get(parameter, {})
        parts |= {f"optimiser {kind} of {name}": value for kind, value in moments.items()}
    return {name: _hash(value) for name, value in parts.items()}


def _hash(value: Tensor) -> int:
    return zlib.crc32(np.ascontiguousarray(value.detach().cpu().numpy()).reshape(-1).view(np.uint8).data)


def _hashed(before: int, *arrays: np.ndarray) -> int:
    for array in arrays:
        before = zlib.crc32(np.ascontiguousarray(array).data, before)
    return before


def _lost(expected: Mapping[str, int], there: Mapping[str, int]) -> Iterator[str]:
    """What is not there any more, or is another."""
    return (name for name in {**expected, **there} if expected.get(name) != there.get(name))


def _finding(text: str) -> MechanismFinding:
    return MechanismFinding("-", "record", "broken", text, "contract")
