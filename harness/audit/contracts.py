"""The promises of sampler and predictor, checked on every batch and every scoring by what arrives inside the model."""

import itertools
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from harness.audit.cell_features import is_of_others, plain_features
from harness.audit.finding import MechanismFinding
from harness.audit.promised import PromisedSplit
from harness.audit.support_sets import SupportSets
from harness.audit.witness import Arrival, Encoding, Witness, row_of, same_values
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject
from harness.trial.score.evaluate import VALIDATION
from harness.trial.score.predict import SplitScores
from harness.trial.step.diverged import Diverged

EPOCHS_KEPT = 16
"""Epochs back in which the batches of an epoch are looked for."""
BY_CHANCE = 1e-9
"""Probability below which support draws are not the same by chance."""


class Breach(NamedTuple):
    """A promise that was not kept: its name, whose it was (sampler, support or prediction), and what is wrong."""

    promise: str
    of: str
    sentence: str


class Contracts:
    """Contracts of one unit. `before` and `after` every step and `scored` after every scoring give findings with verdict
    `broken`, each promise once; `ended` says what was checked.

    What a batch, a support set or a score should be is taken from data, fold and configuration, and from nothing that a
    sampler or a predictor says of itself, save whether its episodes are mixtures. Raises Diverged where a support set that
    arrived is not finite.
    """

    def __init__(self, subject: Subject) -> None:
        self.config, self.fold, self.dataset = subject.config, subject.fold, subject.trainer.dataset
        self.trainer, self.codes, self.mixes = subject.trainer, subject.codes, subject.sampler.mixes
        # Arrays of their own: reading a file map by a few indices costs more than all the rest.
        self.cell, self.label = np.asarray(self.dataset.cell), np.asarray(self.dataset.label)
        self.training = np.sort(subject.training)
        self.features = plain_features(self.dataset, subject.codes)
        self.sides = [
            (np.asarray(windows), np.asarray(rows))
            for windows, rows in (
                (self.dataset.enhancers, self.dataset.enhancer_row),
                (self.dataset.promoters, self.dataset.promoter_row),
            )
        ]
        trained = {int(code): index for index, code in enumerate(subject.codes)}
        self.promised = {
            name: PromisedSplit.of(pairs, self.label, self.cell, trained)
            for name, pairs in subject.pairs.items()
        }
        episode, size = subject.config.episode, len(self.training)
        self.steps = subject.config.optimiser.steps_per_epoch or max(
            1, round(size / (episode.per_step * episode.query))
        )
        self.witness = Witness(subject.trainer)
        self.broken: dict[str, str] = {}
        """Promise that was broken -> whose it was."""
        self.batches = self.scorings = self.epoch = self.step = 0
        self.digest = self.digest_before = 0
        """Of the pairs of the epoch so far, and of the batch before."""
        self.earlier: list[int] = []
        """Digests of the latest epochs."""
        self.evaluated: set[str] = set()

    def first(self) -> list[MechanismFinding]:
        """Before the first step: the splits are those of the fold."""
        return self._new(self._of_fold(), f"in fold {self.fold.name}")

    def before(self, batch: EpisodeBatch, epoch: int) -> list[MechanismFinding]:
        """A batch as the sampler gives it."""
        if epoch != self.epoch:
            self.epoch, self.step, self.digest = epoch, 0, 0
        self.step, self.batches, self.batch = self.step + 1, self.batches + 1, batch
        self.witness.clear(training=True)
        return self._new(self._of_batch(batch), self._at_step())

    def after(self) -> list[MechanismFinding]:
        """The same batch as it arrived inside the model."""
        breaches = self._new(self._of_arrival(self.batch), self._at_step())
        self.witness.clear()
        return breaches

    def scored(self, scores: Mapping[str, SplitScores], epoch: int) -> list[MechanismFinding]:
        """The scores of splits, and the support sets and queries that the model was given for them."""
        self.scorings += 1
        self.evaluated.update(scores)
        findings = self._new(self._of_epoch(epoch), f"in epoch {epoch}")
        findings += self._new(self._of_scores(scores, epoch), f"at a scoring after epoch {epoch}")
        self.witness.clear()
        return findings

    def ended(self) -> list[MechanismFinding]:
        """What was checked in the whole unit, for sampler and prediction."""
        missing = sorted(set(self.promised) - self.evaluated)
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
        return {
            "broken": self.broken,
            "batches": self.batches,
            "scorings": self.scorings,
            "earlier": self.earlier,
        }

    def resume(self, state: dict[str, Any]) -> None:
        self.broken, self.earlier = dict(state["broken"]), list(state["earlier"])
        self.batches, self.scorings = state["batches"], state["scorings"]

    def _at_step(self) -> str:
        return f"at step {self.step} of epoch {self.epoch}"

    def _new(self, breaches: Iterator[Breach], where: str) -> list[MechanismFinding]:
        """Findings on the promises that were not broken before."""
        findings = []
        for promise, of, sentence in breaches:
            if promise not in self.broken:
                self.broken[promise] = of
                findings.append(MechanismFinding("-", of, "broken", f"{where}, {sentence}", "contract"))
        return findings

    def _line(self, code: int) -> str:
        return self.dataset.cell_lines[int(code)]

    def _of_fold(self) -> Iterator[Breach]:
        data, fold = self.dataset, self.fold
        held = np.isin(data.chromosomes, fold.chromosomes)
        sides = held[data.chrom].astype(int) + held[data.promoter_chrom]
        test, val = (np.isin(data.cell_lines, names)[data.cell] for names in (fold.test, fold.val))
        evaluated = {
            "val_seen": ~test & ~val & (sides == 2),
            VALIDATION: val & (sides == 2),
            "test": test & (sides == 2),
        }
        for name, mask in evaluated.items():
            if not np.array_equal(np.sort(self.promised[name].pairs), np.flatnonzero(mask)):
                yield Breach(f"split {name}", "prediction", f"split {name} has other pairs than the fold's")
        foreign = test | val | (sides > 0)
        for name, pairs in (("trains on", self.training), ("scores as train", self.promised["train"].pairs)):
            if foreign[pairs].any():
                pair = int(pairs[foreign[pairs]][0])
                text = f"the unit {name} pair {pair}, which the fold holds out"
                yield Breach(f"fold {name}", "sampler", text)

    def _of_batch(self, batch: EpisodeBatch) -> Iterator[Breach]:
        episode, size = self.config.episode, self.config.support.size
        shapes = (batch.support.shape, batch.query.shape, batch.query_cell.shape, batch.cell.shape)
        e, q = episode.per_step, episode.query
        if shapes != ((e, size), (e, q), (e, q), (e,)):
            text = f"support {shapes[0]} and query {shapes[1]} were drawn; {e} episodes of {size} and {q} are configured"
            yield Breach("sizes", "sampler", text)
            return
        pairs = np.concatenate([batch.support, batch.query], axis=1)
        ordered = np.sort(pairs, axis=1)
        if (ordered[:, 1:] == ordered[:, :-1]).any():
            both = [np.intersect1d(*sets) for sets in zip(batch.support, batch.query, strict=True)]
            shared = sum(map(len, both))
            text = f"{shared} pairs are in support and query alike" if shared else "an episode repeats a pair"
            yield Breach("disjoint", "sampler", text)
        lines = self.cell[pairs]
        index = np.searchsorted(self.codes, lines)
        if (batch.query_cell != index[:, size:]).any():
            yield Breach("names", "sampler", "a query pair goes by another cell line than its own")
        elsewhere = lines != (lines if self.mixes else lines[:, :1])
        if elsewhere.any():
            row, column = np.argwhere(elsewhere)[0]
            text = f"an episode mixes cell lines {self._line(lines[row, 0])} and {self._line(lines[row, column])}"
            yield Breach("mixing", "sampler", f"{text}; {self.config.episode.sampler} promises one")
        named = np.full(e, -1) if self.mixes else index[:, 0]
        if not elsewhere.any() and (batch.cell != named).any():
            yield Breach("names", "sampler", "an episode goes by another cell line than that of its pairs")
        content = zlib.crc32(pairs.data)
        if self.step > 1 and content == self.digest_before:
            yield Breach("same batch", "sampler", "the batch is that of the step before")
        self.digest_before = content
        self.digest = zlib.crc32(pairs.data, self.digest)

    def _of_arrival(self, batch: EpisodeBatch) -> Iterator[Breach]:
        """Support and query of a step inside the model are those of the batch, with the data's own labels."""
        seen = self.witness
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
            one = self.batches * 7919 % len(flat)
            rows = (windows[row[flat[one]]] for windows, row in self.sides)
            read = (side[one : one + 1].flatten().cpu().numpy() for side in encoding.bases)
            if len(encoding.u) != len(flat) or not all(map(np.array_equal, read, rows)):
                text = f"other sequences than those of the {name} pairs were read"
                yield Breach(f"{name} sequences", "support", text)
            elif not all(map(same_values, (encoding.u, encoding.stream), received)):
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

    def _of_epoch(self, epoch: int) -> Iterator[Breach]:
        """An epoch that has just been trained: its length, and that its batches are new."""
        if epoch != self.epoch or self.step == 0:
            return
        if self.step != self.steps:
            yield Breach("steps", "sampler", f"there were {self.step} steps; {self.steps} are configured")
        if self.digest in self.earlier:
            back = len(self.earlier) - self.earlier.index(self.digest)
            yield Breach("same epoch", "sampler", f"the batches are those of epoch {epoch - back}")
        self.earlier = [*self.earlier, self.digest][-EPOCHS_KEPT:]
        self.step = 0

    def _of_scores(self, scores: Mapping[str, SplitScores], epoch: int) -> Iterator[Breach]:
        draws = self.config.support.draws if "test" in scores else 1
        whole = True
        for breach in self._of_pairs(scores, draws):
            whole = False
            yield breach
        fits = self.config.temperature.mode == "calibrated" and self.trainer.schedule.phase(epoch) != 1
        names = sorted(scores, key=lambda name: name != VALIDATION) if fits else list(scores)
        names = [VALIDATION] * fits + names  # to fit T, validation is scored once before
        lines, seen = sum(len(self.promised[name].codes) for name in names), len(self.witness.arrivals)
        if not whole:
            return
        if seen != lines:
            text = f"support sets arrived {seen} times in the environment, and {lines} cell lines were scored"
            yield Breach("one draw per cell line", "prediction", text)
            return
        arrivals, encodings = iter(self.witness.arrivals), iter(self.witness.encodings)
        sets = SupportSets.of(self.witness.arrivals, (draws, self.config.support.size))
        first = 0
        for number, name in enumerate(names):
            of_split = list(itertools.islice(arrivals, len(self.promised[name].codes)))
            before = fits and number == 0
            if sets is None:
                yield from self._of_sizes(of_split, scores[name], draws)
            else:
                yield from self._of_support(of_split, sets.part(first, len(of_split)), scores[name])
            first += len(of_split)
            yield from self._of_queries(of_split, scores[name], before)
            if not before:
                yield from self._of_features(of_split, scores[name], encodings)

    def _of_pairs(self, scores: Mapping[str, SplitScores], draws: int) -> Iterator[Breach]:
        """Every pair of a split once, in order, with its own label and cell line."""
        for name, split in scores.items():
            promised = self.promised[name]
            if not np.array_equal(split.pairs, promised.pairs):
                twice = len(split.pairs) - len(np.unique(split.pairs))
                without = len(np.setdiff1d(promised.pairs, split.pairs))
                text = f"of the {len(promised.pairs)} pairs of split {name} {without} were not scored"
                yield Breach("pairs once", "prediction", f"{text}, and {twice} were scored again")
            elif split.logits.shape != (draws, len(promised.pairs)):
                text = f"split {name} has logits of {len(split.logits)} support draws; {draws} are configured"
                yield Breach("draws", "prediction", text)
            elif not np.array_equal(split.label, promised.label):
                text = f"labels of split {name} are not the data's"
                yield Breach("labels in prediction", "prediction", text)
            elif not np.array_equal(split.cell, promised.cell):
                text = f"cell lines of split {name} are not the data's"
                yield Breach("lines in prediction", "prediction", text)

    def _of_sizes(self, arrivals: Sequence[Arrival], split: SplitScores, draws: int) -> Iterator[Breach]:
        """Support sets are as many and as large as configured."""
        size = self.config.support.size
        for number, arrival in enumerate(arrivals):
            if not SupportSets.fit(arrival, (draws, size)):
                text = f"{arrival.u.shape[0]} support sets of {arrival.u.shape[-1]} pairs arrived for"
                text += f" {self._place(split, number)}; {draws} of {size} are configured"
                yield Breach("support size", "prediction", text)
                return

    def _place(self, split: SplitScores, number: int) -> str:
        return f"cell line {self._line(self.promised[split.split].codes[number])} of split {split.split}"

    def _of_support(
        self, arrivals: Sequence[Arrival], sets: SupportSets, split: SplitScores
    ) -> Iterator[Breach]:
        """A support draw is of its cell line and split, without labels, and not the one before."""
        promised = self.promised[split.split]
        _, draws, size = sets.u.shape
        if sets.labelled.any():
            text = f"the support set of {self._place(split, int(np.argmax(sets.labelled)))} carries labels"
            yield Breach("labels shown", "prediction", text)
        if (sets.names != promised.trained[:, None]).any():
            text = f"a support set of split {split.split} goes by the name of another cell line"
            yield Breach("cell line", "prediction", text)
        for number, arrival in enumerate(arrivals if self.features is not None else ()):
            assert self.features is not None
            if arrival.v is None:
                continue
            if is_of_others(arrival.v, np.tile(self.features[promised.codes[number]], (draws, 1))):
                text = f"features of another cell line arrived for {self._place(split, number)}"
                yield Breach("features", "prediction", text)
                break
        foreign = promised.foreign(sets.u, split.u)
        if foreign.any():
            number = int(np.argwhere(foreign)[0, 0])
            text = f"{int(foreign[number, 0].sum())} of {size} support pairs of {self._place(split, number)}"
            yield Breach("foreign support", "prediction", f"{text} are no pairs of it")
        elif draws > 1:
            u = np.sort(sets.u, axis=2)
            alike = (u[:, 1:] == u[:, :1]).all(2)  # draws that are the first one again
            for number in np.flatnonzero(alike.any(1)).tolist():
                here = split.u[split.cell == promised.codes[number]]
                again, different = int(alike[number].sum()), len(np.unique(here))
                chance = 1.0 / math.comb(different, size) if different > size else 1.0
                if chance**again * draws**2 < BY_CHANCE:
                    text = f"{1 + again} of {draws} support draws of {self._place(split, number)} are one"
                    yield Breach("draws differ", "prediction", text)

    def _of_features(
        self, arrivals: Sequence[Arrival], split: SplitScores, encodings: Iterator[Encoding]
    ) -> Iterator[Breach]:
        """U_I of every pair, and the features of one support pair, are what one pass of the sequence side gave."""
        parts: list[Encoding] = []
        while sum(len(part.u) for part in parts) < len(split.pairs) and (part := next(encodings, None)):
            parts.append(part)
        made = torch.cat([part.u for part in parts]).float().cpu().numpy() if parts else None
        if made is None or not np.array_equal(made, split.u):
            text = f"U_I of split {split.split} is not what the sequence side gave once"
            yield Breach("U_I", "prediction", text)
            return
        arrival = arrivals[self.scorings % len(arrivals)]
        z_i, alike = arrival.z_i[0, 0], np.flatnonzero(made == float(arrival.u[0, 0]))
        rows = (row_of(parts, place) for place in alike.tolist())
        if not any(torch.equal(row.float(), z_i) for row in rows):
            text = f"a support set of split {split.split} has features of other pairs than its U_I"
            yield Breach("support features", "prediction", text)

    def _of_queries(self, arrivals: Sequence[Arrival], split: SplitScores, before: bool) -> Iterator[Breach]:
        """What the energy was given and gave is what the pairs are scored with; `before`: at a T that is not kept."""
        answers = [arrival.scored for arrival in arrivals if arrival.scored is not None]
        if len(answers) < len(arrivals):
            return
        order = self.promised[split.split].order
        u, logit = (torch.cat(parts, 1).cpu().numpy() for parts in zip(*answers, strict=True))
        if u.shape != split.logits.shape or (u != split.u[order]).any():
            text = f"the energy was asked for other pairs than those of split {split.split}"
            yield Breach("queries", "prediction", text)
        elif not before and not np.array_equal(logit, split.logits[:, order]):
            text = f"the energy gave other logits than those of split {split.split}"
            yield Breach("logits", "prediction", text)


def _refuse_infinite(u: np.ndarray) -> None:
    if not np.isfinite(u).all():
        raise Diverged("U_I of a support set is not finite")
