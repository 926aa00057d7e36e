"""What a prediction promises beside what it depends on: what it must not depend on."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.ledger.consistency import UNMEASURED
from harness.audit.finding import MechanismFinding
from harness.audit.hidden_names import leaking_name
from harness.audit.own_episode import reads_other_episodes
from harness.audit.reading import ROUNDING
from harness.audit.same_energy import SupportFirst
from harness.audit.twins import Twins
from harness.trial.episodes.batches import Encoded
from harness.trial.score.predict import Predictor, SplitScores
from models.episode import Support
from models.scoring import score_queries

NEAR = 1e-4
"""Difference, relative to 1 + size, that the order of a sum may make."""
QUERIES = 6
"""Pairs of each of two cell lines that are scored."""


def broken_promises(twins: Twins, *, scored: bool = True) -> list[MechanismFinding]:
    """Findings on the prediction and on the source of z_E, none where every promise is kept: the same prediction twice
    gives the same numbers, labels and other pairs of the split change none, the order of support pairs none, and another
    cell line's samples leave R_E of an episode bitwise as it is, as what is known of a line by its name does where the
    name is hidden. `scored`: the splits are scored once more as the trial scores them, and hear no other features than
    the sequence side gives; at a unit's end its ledger asks that of the stored scores.
    """
    reading = twins.reading
    again = reading.scores(encoded=reading.encoded_now())
    if any(not np.array_equal(again[name].logits, base.logits) for name, base in reading.base.items()):
        text = "the same prediction twice gives other numbers: something is carried over from one to the next"
        return [_finding("prediction", text)]
    close = UNMEASURED if twins.trainer.model.sequence.halved else NEAR
    real = reading.real if scored else reading.base
    apart = [name for name, base in reading.base.items() if not _near(base.logits, real[name].logits, close)]
    if apart:
        text = f"split {apart[0]} is scored with other features than the sequence side gives for its pairs"
        return [_finding("prediction", text)]
    findings = [_finding("prediction", text) for text in [_alone(twins)] if text]
    if twins.trainer.model.environment.acts:
        said = [_order(twins) or _foreign(twins), leaking_name(twins), reads_other_episodes(twins.probe)]
        findings += [_finding("support", text) for text in said if text]
    return findings


def _finding(noun: str, text: str) -> MechanismFinding:
    return MechanismFinding("-", noun, "leaking", text, "input")


@dataclass
class _Scoring:
    """Pairs of two training cell lines and their features: the first `size` of each line are its support set."""

    twins: Twins
    pairs: np.ndarray
    cell: np.ndarray
    encoded: Encoded

    @classmethod
    def of(cls, twins: Twins) -> "_Scoring":
        reading, dataset = twins.reading, twins.probe.dataset
        pairs = reading.pairs["train"]
        return cls(twins, pairs, np.asarray(dataset.cell)[pairs], reading.encoded["train"])

    def scores(self, rows: np.ndarray, label: np.ndarray, predictor: Predictor) -> SplitScores:
        """The trial's predictor on these rows."""
        trainer = self.twins.trainer
        chosen = torch.from_numpy(rows).to(trainer.device)
        arguments: dict[str, Any] = {"split": "train", "draws": 1, "warm": False, "memory": trainer.memory}
        return predictor.predict(
            trainer.model,
            trainer.reference,
            Encoded(*(part[chosen] for part in self.encoded)),
            pairs=self.pairs[rows],
            label=label[rows],
            cell=self.cell[rows],
            **arguments,
        )


def _alone(twins: Twins) -> str:
    """Whether logits of one cell line's pairs depend on labels, or on which other pairs are scored with them."""
    scoring = _Scoring.of(twins)
    label = np.asarray(twins.probe.dataset.label)[scoring.pairs]
    everything = np.arange(len(scoring.pairs))
    first = np.flatnonzero(scoring.cell == scoring.cell[0])
    size = max(1, len(first) // 2)
    predictor = SupportFirst(twins.reading.predictor, size)
    whole = scoring.scores(first, label, predictor)
    flipped = scoring.scores(first, 1 - label, predictor)
    if not np.array_equal(whole.logits, flipped.logits):
        return "a prediction depends on the labels of the pairs that it scores"
    part = scoring.scores(first[: size + max(1, (len(first) - size) // 2)], label, predictor)
    if not _near(whole.logit[: len(part.logit)], part.logit):
        return "a prediction depends on which other pairs are scored with it"
    beside = scoring.scores(everything, label, twins.reading.predictor)
    lone = scoring.scores(first, label, twins.reading.predictor)
    if not _near(beside.logit[first], lone.logit):
        return "a prediction depends on which other cell lines are scored with it"
    return ""


def _near(one: np.ndarray, other: np.ndarray, close: float = NEAR) -> bool:
    return bool((np.abs(one - other) <= close * (1 + np.abs(one))).all())


def _order(twins: Twins) -> str:
    """Whether R_E depends on the order of the pairs in a support set."""
    reading, model = twins.reading, twins.trainer.model
    support = reading.supports[0]
    turned = replace(
        support,
        **{name: vars(support)[name].flip(1) for name in ("z_i", "u", "label", "labelled")},
    )
    with torch.no_grad():
        before, after = _environment(twins, support), _environment(twins, turned)
    if bool(((after - before).abs() <= NEAR * (1 + before.abs())).all()):
        return ""
    return f"z_E depends on the order of the pairs in a support set ({type(model.environment).__name__})"


def _environment(twins: Twins, support: Support) -> Tensor:
    """z_E of the support sets, on the way to the scores of their own pairs."""
    trainer = twins.trainer
    scored = score_queries(
        trainer.model, support, support.u, support.z_i, trainer.reference, trainer.memory, warm=False
    )
    return scored.environment.z_e.detach()


def _foreign(twins: Twins) -> str:
    """Whether the samples of one episode's support set reach the z_E of another one, or not even that of their own."""
    sets = twins.reading.supports[:2]
    model = twins.trainer.model
    if len(sets) < 2 or sets[0].z_i.shape != sets[1].z_i.shape or model.environment.by_cell:
        return ""
    both = _joined(sets)
    for changed in (0, 1):
        with torch.enable_grad():
            before, after = (_environment(twins, each) for each in (both, _negated(both, changed)))
        if not torch.equal(before[1 - changed], after[1 - changed]):
            return "another cell line's samples change z_E of an episode"
        if float((before[changed] - after[changed]).abs().max()) <= ROUNDING * float(before.abs().max()):
            return ""  # it does not read its own: the check of inputs says so
    return ""


def _joined(sets: list[Support]) -> Support:
    parts = {
        name: torch.cat([vars(each)[name] for each in sets])
        for name, value in vars(sets[0]).items()
        if isinstance(value, Tensor)
    }
    return replace(sets[0], **parts)


def _negated(both: Support, episode: int) -> Support:
    z_i, u = both.z_i.clone(), both.u.clone()
    z_i[episode], u[episode] = 1 - z_i[episode], 1 - u[episode]
    return replace(both, z_i=z_i, u=u)
