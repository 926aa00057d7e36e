"""A step's support sets and queries as they arrive inside the model are those of the batch, with the data's own values."""

from collections.abc import Iterator

import numpy as np
import torch

from harness.audit.breach import Breach
from harness.audit.cell_features import is_of_others, plain_features
from harness.audit.witness import Witness
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject
from harness.trial.step.diverged import Diverged


class ArrivalContract:
    """Sequences, features, labels and names of a step. Raises Diverged where a support set is not finite."""

    def __init__(self, subject: Subject) -> None:
        dataset = subject.trainer.dataset
        self.config, self.codes, self.mixes = subject.config, subject.codes, subject.sampler.mixes
        self.label = np.asarray(dataset.label)
        self.features = plain_features(dataset, subject.codes)
        self.sides = [
            (np.asarray(windows), np.asarray(rows))
            for windows, rows in (
                (dataset.enhancers, dataset.enhancer_row),
                (dataset.promoters, dataset.promoter_row),
            )
        ]

    def breaches(self, witness: Witness, batch: EpisodeBatch, number: int) -> Iterator[Breach]:
        """Support and query of a step inside the model are those of the batch, with the data's own labels."""
        seen = witness
        if not seen.arrivals or seen.step is None or len(seen.encodings) != 2:
            yield Breach("step", "sampler", "support or query of the batch did not reach the model once")
            return
        arrival, step = seen.arrivals[0], seen.step
        _refuse_infinite(arrival.u.detach().cpu().numpy())
        if not all(tuple(part.shape) == batch.support.shape for part in arrival[:3]):
            text = f"a support set of {arrival.u.shape[-1]} pairs arrived in the environment; {batch.support.shape[1]}"
            yield Breach("support size in training", "support", f"{text} were drawn")
            return
        for name, encoding, pairs, received in (
            ("support", seen.encodings[0], batch.support, (arrival.u, arrival.z_i)),
            ("query", seen.encodings[1], batch.query, (step.u,)),
        ):
            flat = pairs.ravel()
            one = number * 7919 % len(flat)
            rows = (windows[row[flat[one]]] for windows, row in self.sides)
            read = (side[one : one + 1].flatten().cpu().numpy() for side in encoding.bases)
            if len(encoding.u) != len(flat) or not all(map(np.array_equal, read, rows)):
                text = f"other sequences than those of the {name} pairs were read"
                yield Breach(f"{name} sequences", "support", text)
            elif not all(map(_same, (encoding.u, encoding.stream), received)):
                text = f"values of other pairs stand in for those of the {name} pairs"
                yield Breach(f"{name} values", "support", text)
        shown = arrival.labelled.cpu().numpy() > 0
        if not self.config.support.labels and shown.any():
            text = "labels of support pairs are shown, and support.labels is false"
            yield Breach("labels in training", "support", text)
        elif shown.any() and (arrival.label.cpu().numpy() != self.label[batch.support])[shown].any():
            yield Breach("support labels", "support", "a support pair has another label than the data's")
        cell = arrival.cell.cpu().numpy()
        hides = self.config.episode.pseudo_unseen > 0
        named = cell.shape == batch.cell.shape and ((cell == batch.cell) | (hides & (cell == -1))).all()
        if not self.mixes and not named:
            text = "a support set arrived as that of another cell line"
            yield Breach("cell line in training", "support", text)
        features = None if self.features is None else self.features[self.codes[batch.cell]]
        if not self.mixes and is_of_others(arrival.v, features):
            yield Breach(
                "features in training", "support", "features of another cell line arrived with a support set"
            )
        if not np.array_equal(step.label.cpu().numpy(), self.label[batch.query]):
            yield Breach("labels", "sampler", "the loss read other labels than the data's")
        if not np.array_equal(step.query_cell.cpu().numpy(), batch.query_cell):
            yield Breach("query names", "sampler", "the loss read other cell lines than the query pairs'")


def _same(made: torch.Tensor, received: torch.Tensor) -> bool:
    """Whether what the sequence side made is what was received, whatever its shape there."""
    return torch.equal(made.detach().float().flatten(), received.detach().flatten())


def _refuse_infinite(u: np.ndarray) -> None:
    if not np.isfinite(u).all():
        raise Diverged("U_I of a support set is not finite")
