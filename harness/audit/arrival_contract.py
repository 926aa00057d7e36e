"""A step's support sets and queries as they arrive inside the model are those of the batch, with the data's own values."""

from collections.abc import Iterator

import numpy as np
import torch

from harness.audit import promised_draws
from harness.audit.alike import alike
from harness.audit.breach import Breach
from harness.audit.cell_features import arriving_features, is_of_others, not_permuted
from harness.audit.sequences import Sequences
from harness.audit.witness import Arrival, Witness, same_values
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject
from harness.trial.step.diverged import Diverged
from models.episode import Step

SHALLOW = 1e-5
"""Largest difference of a share of bases."""


class ArrivalContract:
    """Sequences, features, labels and names of a step. Raises Diverged where a support set is not finite."""

    def __init__(self, subject: Subject) -> None:
        dataset = subject.trainer.dataset
        self.config, self.codes, self.mixes = subject.config, subject.codes, subject.sampler.mixes
        self.label = np.asarray(dataset.label)
        self.labels = self.label.astype(np.float32)
        """The same as a step has them."""
        self.features, self.own_features = arriving_features(subject), not_permuted(subject)
        self.sequences, self.trainer = Sequences(dataset), subject.trainer

    def breaches(self, witness: Witness, batch: EpisodeBatch, number: int) -> Iterator[Breach]:
        """Support and query of a step inside the model are those of the batch, with the data's own labels."""
        seen = witness
        if not seen.arrivals or seen.step is None or len(seen.encodings) != 2:
            yield Breach("step", "sampler", "support or query of the batch did not reach the model once")
            return
        arrival, step = seen.arrivals[0], seen.step
        _refuse_infinite(arrival.u.detach().cpu().numpy())
        if not all(part.shape == batch.support.shape for part in arrival[:3]):
            sizes = arrival.u.shape[-1], batch.support.shape[1]
            text = f"a support set of {sizes[0]} pairs arrived in the environment; {sizes[1]} were drawn"
            yield Breach("support size in training", "support", text)
            return
        sets = batch.support.ravel(), batch.query.ravel()
        bases, first = self.sequences.bases(np.concatenate(sets)), len(sets[0])
        for these, encoding, flat, expected, received in (
            (
                "support pairs",
                seen.encodings[0],
                sets[0],
                [side[:first] for side in bases],
                (arrival.u, arrival.z_i),
            ),
            ("query pairs", seen.encodings[1], sets[1], [side[first:] for side in bases], (step.u,)),
        ):
            one = number * 7919 % len(flat)
            count = len(encoding.u)
            if count != len(flat) or not self.sequences.are_read(encoding.sides, expected, flat, one):
                text = f"other sequences than those of the {these} were read"
                yield Breach(f"sequences of {these}", "support", text)
            elif not all(map(same_values, (encoding.u, encoding.stream), received)):
                text = f"values of other pairs stand in for those of the {these}"
                yield Breach(f"values of {these}", "support", text)
        yield from self._of_labels(arrival, batch)
        yield from self._of_names(arrival, step, batch)
        yield from self._of_facts(arrival, step, batch, number)
        if not alike(step.label.cpu().numpy(), self.labels[batch.query]):
            yield Breach("labels", "sampler", "the loss read other labels than the data's")

    def _of_labels(self, arrival: Arrival, batch: EpisodeBatch) -> Iterator[Breach]:
        """Labels of support pairs: none, or those that are drawn for the step, and the data's."""
        shown = arrival.labelled.cpu().numpy() > 0
        if not self.config.support.labels:
            if np.count_nonzero(shown):
                text = "labels of support pairs are shown, and support.labels is false"
                yield Breach("labels in training", "support", text)
            return
        label = self.label[batch.support]
        if (arrival.label.cpu().numpy() != label)[shown].any():
            yield Breach("support labels", "support", "a support pair has another label than the data's")
        # The step was taken, so that the trainer stands before the next one.
        wanted = promised_draws.shown(self.trainer.seed, self.trainer.index - 1, *shown.shape).numpy()
        if not np.array_equal(shown, wanted):
            both, text = (
                (shown & wanted).sum(),
                f"{shown.sum()} of {shown.size} labels of support pairs are shown",
            )
            text = f"{text}; {both} of these are among the {wanted.sum()} that the step's stream shows"
            yield Breach("labels chosen", "support", text)

    def _of_names(self, arrival: Arrival, step: Step, batch: EpisodeBatch) -> Iterator[Breach]:
        """Cell lines by name: of the support sets, save where they are hidden, and as the loss terms read them."""
        cell, hides = arrival.cell.cpu().numpy(), self.config.episode.pseudo_unseen > 0
        real = batch.query_cell if self.mixes else batch.cell
        if arrival.owner is not None:
            cell = cell[arrival.owner.cpu().numpy()]
        known = np.where(cell == -1, real, cell) if hides and cell.shape == real.shape else cell
        if not alike(known, real):
            text = "a support set arrived as that of another cell line"
            yield Breach("cell line in training", "support", text)
        codes = None if self.mixes or arrival.hidden is None else arrival.hidden.cpu().numpy()
        if codes is not None and not alike(np.where(cell < 0, codes, cell), real):
            yield Breach("hidden names", "support", "a hidden name is that of another cell line")
        if not self.mixes and not alike(step.cell.cpu().numpy(), batch.cell):
            yield Breach("names in the loss", "sampler", "the loss read other cell lines than the episodes'")
        if not alike(step.query_cell.cpu().numpy(), batch.query_cell):
            yield Breach("query names", "sampler", "the loss read other cell lines than the query pairs'")

    def _of_facts(self, arrival: Arrival, step: Step, batch: EpisodeBatch, number: int) -> Iterator[Breach]:
        """Features of the cell lines, for the environment and for loss terms, and shallow statistics of support pairs."""
        made = vars(step)
        if self.own_features:
            yield Breach("features of a placebo", "support", self.own_features)
        if not self.mixes and self.features is not None:
            features = self.features[self.codes[batch.cell]]
            for v, reader in ((arrival.v, "a support set"), (made.get("v"), "a loss term")):
                if is_of_others(v, features):
                    text = f"features of another cell line arrived with {reader}"
                    yield Breach(f"features of {reader}", "support", text)
        if "shallow" not in made:
            return
        shallow = made["shallow"].flatten(0, 1)
        one = number * 7919 % batch.support.size
        seen = shallow[one].double().cpu().numpy()
        contents = [_gc(window) for window in self.sequences.whole(batch.support.ravel()[one])]
        places = np.arange(2) * ((len(seen) - 1) // 2)
        alike = torch.equal(shallow[:, -1].detach(), arrival.u.detach().flatten().to(shallow))
        if not alike or np.abs(seen[places] - contents).max() > SHALLOW:
            yield Breach(
                "shallow",
                "support",
                "shallow statistics of other pairs stand in for those of the support pairs",
            )


def _gc(window: np.ndarray) -> float:
    """Share of G and C among the known bases of a window."""
    known = np.isin(window, [0, 1, 2, 3])
    return float(np.isin(window, [1, 2]).sum() / max(1, known.sum()))


def _refuse_infinite(u: np.ndarray) -> None:
    if np.count_nonzero(np.isfinite(u)) < u.size:
        raise Diverged("U_I of a support set is not finite")
