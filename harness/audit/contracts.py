"""The promises of sampler and predictor, checked on every batch and every scoring by what arrives inside the model."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.audit.arrival_contract import ArrivalContract
from harness.audit.batch_contract import BatchContract
from harness.audit.breach import Breach
from harness.audit.data_contract import DataContract
from harness.audit.finding import MechanismFinding
from harness.audit.fold_contract import FoldContract
from harness.audit.relations_contract import RelationsContract
from harness.audit.score_contract import ScoreContract
from harness.audit.seeded import Seeded
from harness.audit.witness import Witness
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject
from harness.trial.score.predict import SplitScores


class Contracts:
    """Contracts of one unit. `before` and `after` every step and `scored` after every scoring give findings with verdict
    `broken`, each promise once; `ended` says what was checked.

    What a batch, a support set or a score should be is taken from data, fold and configuration, and from nothing that a
    sampler or a predictor says of itself, save whether its episodes are mixtures. Raises Diverged where a support set that
    arrived is not finite.
    """

    def __init__(self, subject: Subject) -> None:
        self.mixes, self.splits = subject.sampler.mixes, set(subject.pairs)
        self.data, self.relations = DataContract(subject), RelationsContract(subject)
        self.fold, self.seeded = FoldContract(subject), Seeded(subject)
        self.batch, self.arrival = BatchContract(subject), ArrivalContract(subject)
        self.of_scores = ScoreContract(subject)
        self.witness = Witness(subject.trainer)
        self.broken: dict[str, str] = {}
        """Promise that was broken -> whose it was."""
        self.batches = self.scorings = 0
        self.evaluated: set[str] = set()

    def first(self) -> list[MechanismFinding]:
        """Before the first step: the data are those on disk, the splits those of the fold, and draws follow the seed."""
        findings = self._new(self.data.breaches(), "before the first step")
        findings += self._new(self.relations.breaches(), "before the first step")
        findings += self._new(self.fold.breaches(), f"in fold {self.fold.fold.name}")
        findings += self._new(self.seeded.breaches(), "before the first step")
        return findings + self._new(self.seeded.ahead(), "in batches drawn ahead")

    def before(self, batch: EpisodeBatch, epoch: int) -> list[MechanismFinding]:
        """A batch as the sampler gives it."""
        self.drawn, self.batches = batch, self.batches + 1
        self.batch.begin(epoch)
        self.witness.clear(training=True)
        return self._new(self.batch.of_batch(batch), self._at_step())

    def passed(self, batch: EpisodeBatch, epoch: int) -> list[MechanismFinding]:
        """A batch as the sampler gives it, whose step was another unit's."""
        self.batches += 1
        self.batch.begin(epoch)
        return self._new(self.batch.of_batch(batch), self._at_step())

    def after(self) -> list[MechanismFinding]:
        """The same batch as it arrived inside the model."""
        breaches = self.arrival.breaches(self.witness, self.drawn, self.batches)
        findings = self._new(breaches, self._at_step())
        self.witness.clear()
        return findings

    def scored(self, scores: Mapping[str, SplitScores], epoch: int) -> list[MechanismFinding]:
        """The scores of splits, and the support sets and queries that the model was given for them."""
        self.scorings += 1
        self.evaluated.update(scores)
        findings = self._new(self.batch.of_epoch(epoch), f"in epoch {epoch}")
        breaches = self.of_scores.breaches(self.witness, scores, epoch, self.scorings)
        findings += self._new(breaches, f"at a scoring after epoch {epoch}")
        self.witness.clear()
        return findings

    def ended(self) -> list[MechanismFinding]:
        """What was checked in the whole unit, for sampler and prediction."""
        missing = sorted(self.splits - self.evaluated)
        lost = [Breach("unscored split", "prediction", f"split {name} was never scored") for name in missing]
        findings = self._new(iter(lost), "at the end")
        said = {
            "sampler": (self.batches, f"{self.batches} batches kept what the sampler promises"),
            "prediction": (self.scorings, f"{self.scorings} scorings kept what the prediction promises"),
        }
        if self.mixes:
            text = "documented mismatch: episodes are mixtures, the support sets of prediction are of one cell line"
            said["sampler"] = (self.batches, text)
        for name, (count, sentence) in said.items():
            if name not in self.broken.values():
                findings.append(MechanismFinding("-", name, "active", sentence, contracts=count))
        return findings

    def state(self) -> dict[str, Any]:
        counts = {"broken": self.broken, "batches": self.batches, "scorings": self.scorings}
        return {**counts, "batch": self.batch.state()}

    def resume(self, state: dict[str, Any]) -> None:
        self.broken = dict(state["broken"])
        self.batches, self.scorings = state["batches"], state["scorings"]
        self.batch.resume(state["batch"])

    def _at_step(self) -> str:
        return f"at step {self.batch.step} of epoch {self.batch.epoch}"

    def _new(self, breaches: Iterator[Breach], where: str) -> list[MechanismFinding]:
        """Findings on the promises that were not broken before."""
        findings = []
        for promise, of, sentence in breaches:
            if promise not in self.broken:
                self.broken[promise] = of
                findings.append(MechanismFinding("-", of, "broken", f"{where}, {sentence}", "contract"))
        return findings
