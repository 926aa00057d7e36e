"""Some pairs of every split scored again, by a fresh trainer that has loaded the checkpoint's file."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from analysis.ledger.consistency import WIDE
from analysis.ledger.unit import UnitLedger
from harness.trial.episodes.batches import encode_pairs
from harness.trial.episodes.sampler import rng
from harness.trial.inspection import Subject
from harness.trial.record import Record
from harness.trial.step.trainer import Trainer
from models.scoring import score_queries

PAIRS = 32
"""Pairs of a split that are looked at again."""
CLOSE = 1e-4
"""Largest difference of a score that another batch makes in float32, relative to 1 + its size."""
SCORES = ("u", "r", "t", "logit")
Z_I = "z_i"


class Rescored(NamedTuple):
    """pairs: how many were scored again; said: a sentence for each split with one that is stored with other numbers;
    rounding: what bfloat16 costs U_I, as the root mean square difference from float32 over these pairs, None where the
    sequence side runs in float32; vectors: of every split those pairs and their z_I [n, d], and how far it may be from
    that of the scores."""

    pairs: int
    said: list[str]
    rounding: float | None
    vectors: dict[str, tuple[np.ndarray, np.ndarray, float]]


def sample(seed: int, split: str, size: int, *place: str | int) -> np.ndarray:
    """Positions of at most PAIRS of `size` pairs, from their own stream."""
    return np.sort(rng(seed, "ledger", split, *place).choice(size, size=min(PAIRS, size), replace=False))


def trainer_of_file(subject: Subject, record: Record, epoch: int) -> Trainer:
    """A trainer with the weights of the checkpoint of an epoch; the subject's own is left alone."""
    trainer = subject.trainer
    weights = record.checkpoints.load(f"epoch-{epoch}", trainer.device)
    if weights is None:
        raise RuntimeError(f"{record.unit} has no checkpoint of its selected epoch {epoch}")
    fresh = Trainer(subject.reads.config, trainer.dataset, subject.codes, trainer.seed, trainer.device)
    fresh.load_weights(weights)
    return fresh


def rescored(subject: Subject, fresh: Trainer, unit: UnitLedger) -> Rescored:
    """Score some pairs of every split again, with the weights of `fresh`.

    Where the sequence side runs in bfloat16 they are scored in float32 too: how far a score is from what is stored is
    measured by how far its own rounding goes (`analysis.ledger.consistency`), over all splits together.
    """
    sequence = fresh.model.sequence
    half = sequence.halved
    splits = {str(split): rows for split, rows in unit.predictions.groupby("split", sort=False)}
    chosen = {split: sample(fresh.seed, split, len(rows)) for split, rows in splits.items()}

    def again() -> dict[str, dict[str, np.ndarray]]:
        return {
            split: _again(subject, fresh, unit.ledger, split, rows, chosen[split])
            for split, rows in splits.items()
        }

    made = again()
    lost = dict.fromkeys((*SCORES, Z_I), 0.0)
    if half:
        sequence.halved = False
        exact = again()
        sequence.halved = True
        for name in lost:
            apart = np.concatenate([made[split][name] - exact[split][name] for split in splits])
            lost[name] = float(np.sqrt(np.square(apart).mean()))
    said = []
    for split, rows in splits.items():
        for name in SCORES:
            stored = rows[name].to_numpy()[chosen[split]].astype(np.float64)
            allowed = CLOSE * (1.0 + np.abs(stored)) + WIDE * lost[name]
            wrong = ~(np.abs(stored - made[split][name]) <= allowed)
            if wrong.any():
                at = int(np.argmax(wrong))
                where = unit.row(rows.index[chosen[split][at]])
                said.append(
                    f"{where}: {name} is stored as {stored[at]:.6g}, and the weights of the checkpoint's file give "
                    f"{made[split][name][at]:.6g}"
                )
                break
    vectors = {
        split: (rows["pair"].to_numpy()[chosen[split]], made[split][Z_I], WIDE * lost[Z_I])
        for split, rows in splits.items()
    }
    return Rescored(sum(map(len, chosen.values())), said, lost["u"] if half else None, vectors)


@torch.no_grad()
def _again(
    subject: Subject,
    fresh: Trainer,
    ledger: Mapping[str, Any],
    split: str,
    rows: pd.DataFrame,
    chosen: np.ndarray,
) -> dict[str, np.ndarray]:
    """u, r, t and logit [n] of the chosen positions of a split, and z_i [n, d]."""
    predictor, dataset, device = subject.predictor, fresh.dataset, fresh.device
    pairs = rows["pair"].to_numpy()
    cell = np.asarray(dataset.cell[pairs])
    scores = {name: np.zeros(len(chosen)) for name in SCORES}
    calibrated = ledger["temperature_mode"] == "calibrated" and ledger["phase"] == 2
    calibration = torch.tensor(ledger["temperature"], device=device) if calibrated else None
    for code in np.unique(cell[chosen]):
        of_line = np.flatnonzero(cell == code)
        support = predictor.support_positions(split, int(code), of_line, 1)[0]
        at = np.flatnonzero(cell[chosen] == code)
        query = chosen[at]
        encoded = encode_pairs(
            fresh.model,
            dataset,
            pairs[np.concatenate([support, query])],
            device,
            fresh.config.evaluation.batch,
        )
        first = torch.arange(len(support), device=device).unsqueeze(0)
        index = torch.full((1,), predictor.training_index.get(int(code), -1), device=device)
        v = None if predictor.v is None else predictor.v[int(code)].expand(1, -1)
        made = score_queries(
            fresh.model,
            predictor.support(encoded, first, index, v),
            encoded.u[len(support) :].unsqueeze(0),
            encoded.z_i[len(support) :].unsqueeze(0),
            fresh.reference,
            fresh.memory,
            warm=ledger["phase"] == 1,
            calibration=calibration,
        ).scores
        scores["u"][at] = encoded.u[len(support) :].cpu().numpy()
        z_i = encoded.z_i[len(support) :].float().cpu().numpy()
        scores.setdefault(Z_I, np.zeros((len(chosen), z_i.shape[1])))[at] = z_i
        for name, part in (("r", made.r), ("t", made.temperature), ("logit", made.logit)):
            scores[name][at] = part[0].expand(len(query)).cpu().numpy()
    return scores
