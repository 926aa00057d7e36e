"""Scores are those of the weights and states as they are now, and those of an epoch are the same whenever it is scored."""

import copy
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from analysis.ledger.consistency import UNMEASURED
from harness.audit.finding import MechanismFinding
from harness.audit.rescoring import CLOSE, sample
from harness.trial.episodes.batches import forward
from harness.trial.inspection import Subject
from harness.trial.score.evaluate import VALIDATION
from harness.trial.score.predict import SplitScores
from models.episode import Support
from models.precision import at_least_float32

PAIRS = 8
"""Pairs of a cell line that are scored again."""
OF_LINE = ("z_e", "r_cell", "r_raw", "r_student")
"""What scores have of a cell line and support draw."""
Columns = dict[str, np.ndarray]


class PresentScores:
    """After every scoring a few pairs of one cell line, of the unseen validation lines and other splits in turn (at the end
    of test), are scored again by a copy of the model that nobody listens to, from sequences to logit, without what scores
    splits.

    Of every epoch some scores are kept, for its weights to give them again at the end. `scored` gives the first difference
    of either kind with verdict `broken`. Epochs of an earlier process are not known here.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject, self.trainer = subject, subject.trainer
        self.model = copy.deepcopy(subject.trainer.model)
        self.close = UNMEASURED if self.model.sequence.halved else CLOSE
        self.calibrates = subject.config.temperature.mode == "calibrated"
        self.kept: dict[int, dict[str, Columns]] = {}
        self.scorings = 0
        self.said: set[str] = set()

    def scored(self, scores: Mapping[str, SplitScores], epoch: int) -> list[MechanismFinding]:
        """Splits were scored with the trainer's present weights, which are those of `epoch` (1-based)."""
        others = sorted(set(scores) - {VALIDATION})
        turn, odd = divmod(self.scorings, 2)
        name = "test" if "test" in scores else others[turn % len(others)] if odd else VALIDATION
        self.scorings += 1
        self.model.load_state_dict(self.trainer.model.state_dict())
        texts = {
            "now": next(self._stale(scores[name], epoch, turn), ""),
            "again": next(self._other(scores, epoch), ""),
        }
        new = {kind: text for kind, text in texts.items() if text and kind not in self.said}
        self.said.update(new)
        return [MechanismFinding("-", "prediction", "broken", text, "energy") for text in new.values()]

    def _stale(self, part: SplitScores, epoch: int, turn: int) -> Iterator[str]:
        lines = np.unique(part.cell)
        if not len(lines):
            return
        code, draw = int(lines[turn % len(lines)]), turn % len(part.logits)
        here = np.flatnonzero(part.cell == code)
        chosen = here[np.unique(np.linspace(0, len(here) - 1, PAIRS).round().astype(int))]
        stored = _columns(part, chosen, draw) | {name: vars(part)[name][code][draw] for name in OF_LINE}
        for name, again in self._again(part, code, here, chosen, epoch, draw).items():
            wrong = ~(np.abs(stored[name] - again) <= self.close * (1 + np.abs(again)))
            if wrong.any():
                at = int(np.argmax(wrong))
                yield (
                    f"epoch {epoch}, split {part.split}, cell line {self.trainer.dataset.cell_lines[code]}, draw {draw}: "
                    f"{name} is {np.ravel(stored[name])[at]:.6g}, and weights and states as they are now give "
                    f"{np.ravel(again)[at]:.6g}"
                )

    @torch.no_grad()
    def _again(
        self, part: SplitScores, code: int, here: np.ndarray, chosen: np.ndarray, epoch: int, draw: int
    ) -> Columns:
        """u of the chosen positions of a cell line and, where no T is fitted, the logit of a support draw; r and t of the
        first draw; and what is of the cell line itself."""
        trainer, predictor = self.trainer, self.subject.predictor
        support = predictor.support_positions(part.split, code, here, draw + 1)[draw]
        first, second = (
            forward(self.model, trainer.dataset, part.pairs[places], trainer.device)
            for places in (support, chosen)
        )
        known = np.flatnonzero(self.subject.codes == code)
        zeros = torch.zeros_like(first.u)[None]
        sets = Support(
            at_least_float32(first.stream)[None],
            at_least_float32(first.u)[None],
            zeros,
            zeros,
            torch.tensor([int(known[0]) if len(known) else -1], device=trainer.device),
            v=None if predictor.v is None else predictor.v[code][None],
        )
        warm = epoch <= self.subject.config.curriculum.phase1_epochs
        environment = self.model.environment(sets, trainer.memory)
        made = self.model.score(second.u[None], second.z_i[None], environment, trainer.reference, warm=warm)

        def row(values: Tensor) -> np.ndarray:
            return values[0].expand(len(chosen)).cpu().numpy().astype(np.float64)

        again = {
            "u": row(second.u[None]),
            "logit": row(made.logit),
            "r": row(made.r),
            "t": row(made.temperature),
        }
        unasked = {"t", "logit"} if self.calibrates and not warm else set()
        if draw:
            unasked |= {"r", "t"}
        of_line = {name: made._asdict()[name][0].cpu().numpy().astype(np.float64) for name in OF_LINE}
        return {name: value for name, value in again.items() if name not in unasked} | of_line

    def _other(self, scores: Mapping[str, SplitScores], epoch: int) -> Iterator[str]:
        """Where the scores of an epoch are not those that it gave before; kept where it gave none."""
        now = {
            name: _columns(part, sample(self.trainer.seed, name, len(part.pairs), "again"))
            for name, part in scores.items()
            if name != "test"
        }
        before = self.kept.setdefault(epoch, now)
        for name, columns in now.items():
            for column, values in columns.items() if name in before else ():
                wrong = ~(np.abs(values - before[name][column]) <= self.close * (1 + np.abs(values)))
                if wrong.any():
                    at = int(np.argmax(wrong))
                    yield (
                        f"split {name}: {column} of a pair is {values[at]:.6g} with the weights of epoch {epoch}, and was "
                        f"{before[name][column][at]:.6g} after that epoch"
                    )


def _columns(part: SplitScores, at: np.ndarray, draw: int = 0) -> Columns:
    values = {"u": part.u, "r": part.r, "t": part.t, "logit": part.logits[draw]}
    return {name: value[at].astype(np.float64) for name, value in values.items()}
