"""The scores of splits, and the support sets and queries that the model was given for them."""

import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from harness.audit.bounds import BY_CHANCE
from harness.audit.breach import Breach
from harness.audit.cell_features import arriving_features, is_of_others
from harness.audit.promised import PromisedSplit
from harness.audit.samples import drawn_again
from harness.audit.sequences import Sequences
from harness.audit.support_draws import SupportDraws
from harness.audit.support_sets import SupportSets
from harness.audit.whole_scoring import WholeScoring
from harness.audit.witness import Arrival, Encoding, Witness, row_of
from harness.trial.inspection import Subject
from harness.trial.score.evaluate import VALIDATION
from harness.trial.score.predict import SplitScores


class ScoreContract:
    """What one scoring promises, from data, fold and configuration."""

    def __init__(self, subject: Subject) -> None:
        self.config, self.trainer, dataset = subject.config, subject.trainer, subject.trainer.dataset
        self.lines = dataset.cell_lines
        self.features = arriving_features(subject)
        label, cell = np.asarray(dataset.label), np.asarray(dataset.cell)
        trained = {int(code): index for index, code in enumerate(subject.codes)}
        self.promised = {
            name: PromisedSplit.of(pairs, label, cell, trained) for name, pairs in subject.pairs.items()
        }
        self.draws, self.sequences = SupportDraws(dataset.cell_lines), Sequences(dataset)
        self.whole = WholeScoring(self.promised, self.sequences, self.features)
        self.bases: dict[str, list[np.ndarray]] = {}
        """Split -> what a glimpse of its pairs has to be."""
        self.judged: dict[str, tuple[int, int]] = {}
        """Split -> number and hash of the support draws that were judged last; the same ones are not judged again."""

    def breaches(
        self, witness: Witness, scores: Mapping[str, SplitScores], epoch: int, number: int
    ) -> Iterator[Breach]:
        """Of scoring `number` with the weights of `epoch`; the witness saw it from its beginning."""
        draws = self.config.support.draws if "test" in scores else 1
        fits = self.config.temperature.mode == "calibrated" and self.trainer.schedule.phase(epoch) != 1
        if not fits and self.whole.holds(witness, scores, (draws, self.config.support.size), number):
            return
        sound = True
        for breach in self._one_by_one(witness, scores, draws, fits, number):
            sound = False
            yield breach
        if sound and not fits:
            self.whole.judged(scores)

    def _one_by_one(
        self, witness: Witness, scores: Mapping[str, SplitScores], draws: int, fits: bool, number: int
    ) -> Iterator[Breach]:
        """Split by split; `fits`: T is fitted at this scoring."""
        whole = True
        for breach in self._of_pairs(scores, draws):
            whole = False
            yield breach
        names = sorted(scores, key=lambda name: name != VALIDATION) if fits else list(scores)
        names = [VALIDATION] * fits + names  # to fit T, validation is scored once before
        lines, seen = sum(len(self.promised[name].codes) for name in names), len(witness.arrivals)
        if not whole:
            return
        if seen != lines:
            text = f"support sets arrived {seen} times in the environment, and {lines} cell lines were scored"
            yield Breach("one draw per cell line", "prediction", text)
            return
        arrivals, encodings = iter(witness.arrivals), iter(witness.encodings)
        sets, first = SupportSets.of(witness.arrivals, (draws, self.config.support.size)), 0
        for place, name in enumerate(names):
            of_split = list(itertools.islice(arrivals, len(self.promised[name].codes)))
            before = fits and place == 0
            if sets is None:
                yield from self._of_sizes(of_split, scores[name], draws)
            else:
                yield from self._of_support(of_split, sets.part(first, len(of_split)), scores[name])
            first += len(of_split)
            yield from self._of_queries(of_split, scores[name], before)
            if not before:
                yield from self._of_features(of_split, scores[name], encodings, number)

    def _of_pairs(self, scores: Mapping[str, SplitScores], draws: int) -> Iterator[Breach]:
        """Every pair of a split once, in order, with its own label and cell line."""
        for name, split in scores.items():
            promised = self.promised[name]
            if not np.array_equal(split.pairs, promised.pairs):
                twice = len(split.pairs) - len(np.unique(split.pairs))
                without = len(np.setdiff1d(promised.pairs, split.pairs))
                every = len(promised.pairs)
                text = f"{without} of {every} pairs of split {name} were not scored, and {twice} were scored again"
                yield Breach("pairs once", "prediction", text)
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
                sets, pairs, place = arrival.u.shape[0], arrival.u.shape[-1], self._place(split, number)
                text = f"{sets} support sets of {pairs} pairs arrived for {place}; {draws} of {size} are configured"
                yield Breach("support size", "prediction", text)
                return

    def _place(self, split: SplitScores, number: int) -> str:
        return f"cell line {self.lines[int(self.promised[split.split].codes[number])]} of split {split.split}"

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
        places = promised.places(sets.u, split.u)
        foreign = places.foreign
        if foreign.any():
            number = int(np.argwhere(foreign)[0, 0])
            others, place = int(foreign[number, 0].sum()), self._place(split, number)
            text = f"{others} of {size} support pairs of {place} are no pairs of it"
            yield Breach("foreign support", "prediction", text)
            return
        drawn = (draws, zlib.crc32(places.drawn().tobytes()))
        if self.judged.get(split.split) == drawn:
            return
        self.judged[split.split] = drawn
        yield from self.draws.breaches(split, promised, places)
        if draws > 1:
            pools = [split.u[split.cell == code] for code in promised.codes]
            for number, common in drawn_again(sets.u, pools, BY_CHANCE):
                text = f"the support draws of {self._place(split, number)}: {common}"
                yield Breach("draws differ", "prediction", text)

    def _of_features(
        self, arrivals: Sequence[Arrival], split: SplitScores, encodings: Iterator[Encoding], number: int
    ) -> Iterator[Breach]:
        """U_I of every pair, and the features of one support pair, are what one pass of the sequence side gave."""
        parts: list[Encoding] = []
        while sum(len(part.u) for part in parts) < len(split.pairs) and (part := next(encodings, None)):
            parts.append(part)
        made = _joined([part.u for part in parts]) if parts else None
        if made is None or not np.array_equal(made, split.u):
            text = f"U_I of split {split.split} is not what the sequence side gave once"
            yield Breach("U_I", "prediction", text)
            return
        if split.split not in self.bases:
            self.bases[split.split] = self.sequences.bases(split.pairs)
        if not self.sequences.is_read(self.bases[split.split], [part.seen for part in parts]):
            text = f"other sequences than those of the pairs of split {split.split} were read"
            yield Breach("sequences", "prediction", text)
            return
        arrival = arrivals[number % len(arrivals)]
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
        u, logit = (_joined(parts, 1) for parts in zip(*answers, strict=True))
        if u.shape != split.logits.shape or (u != split.u[order]).any():
            text = f"the energy was asked for other pairs than those of split {split.split}"
            yield Breach("queries", "prediction", text)
        elif not before and not np.array_equal(logit, split.logits[:, order]):
            text = f"the energy gave other logits than those of split {split.split}"
            yield Breach("logits", "prediction", text)


def _joined(parts: Sequence[torch.Tensor], dim: int = 0) -> np.ndarray:
    """The parts side by side, as float32."""
    joined = parts[0] if len(parts) == 1 else torch.cat(list(parts), dim)
    values: np.ndarray = joined.float().cpu().numpy()
    return values
