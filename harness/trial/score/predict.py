"""Prediction of a split: per cell line one support draw, one R_E, every pair scored exactly once.

Further support draws reuse the cached U_I and z_I; their spread is the part of the uncertainty that the support
set is responsible for.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harness.trial.episodes.batches import Encoded
from harness.trial.episodes.sampler import rng
from models.environment.memory import Memory
from models.environment.resistance import Reference
from models.episode import Support
from models.prism import PrismModel
from models.scoring import score_queries


@dataclass(frozen=True)
class SplitScores:
    """Scores of one split. pairs, label, cell (codes of the dataset), u: [N]; z_i [N, d]; r, t (R_E and T as the energy
    took them): [N] of draw 0; logits [D, N], row 0 is the prediction, the others are further support draws. Per cell code
    and draw: z_e [D, w]; r_cell [D], R_E of the cell line; r_raw [D], its cell part before softplus or standardisation;
    r_student and r_teacher [D], what R_E is fused of (the latter of training cell lines with a Teacher only); posterior
    [D], a prior's, and places [D, F], where that has them, of unseen cell lines where it is taken; gate [D], how far R_E
    opens the gate (None for energies without one)."""

    split: str
    pairs: np.ndarray
    label: np.ndarray
    cell: np.ndarray
    u: np.ndarray
    z_i: np.ndarray
    r: np.ndarray
    t: np.ndarray
    logits: np.ndarray
    z_e: dict[int, np.ndarray]
    r_cell: dict[int, np.ndarray]
    r_raw: dict[int, np.ndarray]
    r_student: dict[int, np.ndarray]
    r_teacher: dict[int, np.ndarray]
    posterior: dict[int, np.ndarray]
    places: dict[int, np.ndarray]
    gate: dict[int, np.ndarray] | None

    @property
    def logit(self) -> np.ndarray:
        return self.logits[0]


class Predictor:
    """Scores splits with the one energy function; support draws come from (seed, "support", split, cell line, draw).

    A cell line with fewer pairs than `support_size` in the split fills its support set by drawing with replacement,
    so that support sets are of one size in training and prediction. Support pairs carry no labels.
    """

    def __init__(
        self,
        cell_names: list[str],
        training_index: dict[int, int],
        *,
        support_size: int,
        seed: int,
        device: torch.device,
        v: Tensor | None = None,
    ) -> None:
        self.cell_names, self.training_index = cell_names, training_index
        self.support_size, self.seed, self.device = support_size, seed, device
        self.v = None if v is None else v.to(device)

    def support_positions(self, split: str, cell: int, positions: np.ndarray, draws: int) -> np.ndarray:
        """Positions [D, S] of support pairs among those of the cell line."""
        return np.stack(
            [
                rng(self.seed, "support", split, self.cell_names[cell], draw).choice(
                    positions, size=self.support_size, replace=len(positions) < self.support_size
                )
                for draw in range(draws)
            ]
        )

    @torch.no_grad()
    def predict(
        self,
        model: PrismModel,
        reference: Reference,
        encoded: Encoded,
        *,
        split: str,
        pairs: np.ndarray,
        label: np.ndarray,
        cell: np.ndarray,
        draws: int,
        warm: bool,
        memory: Memory,
        calibration: Tensor | None = None,
    ) -> SplitScores:
        """Score every pair of the split `draws` times; arrays are parallel to `encoded`. `memory`: the Teacher's."""
        logits = np.full((draws, len(pairs)), np.nan, dtype=np.float32)
        r, t = np.zeros(len(pairs), dtype=np.float32), np.ones(len(pairs), dtype=np.float32)
        z_e: dict[int, np.ndarray] = {}
        r_cell: dict[int, np.ndarray] = {}
        r_raw: dict[int, np.ndarray] = {}
        r_student: dict[int, np.ndarray] = {}
        r_teacher: dict[int, np.ndarray] = {}
        posterior: dict[int, np.ndarray] = {}
        places: dict[int, np.ndarray] = {}
        gate: dict[int, np.ndarray] = {}
        for code in np.unique(cell):
            positions = np.flatnonzero(cell == code)
            chosen = torch.from_numpy(self.support_positions(split, int(code), positions, draws)).to(
                self.device
            )
            index = torch.full((draws,), self.training_index.get(int(code), -1), device=self.device)
            model.environment.check_cells(index)
            v = None if self.v is None else self.v[int(code)].expand(draws, -1)
            support = self.support(encoded, chosen, index, v)
            here = torch.from_numpy(positions).to(self.device)
            u = encoded.u[here].expand(draws, -1)
            z_i = encoded.z_i[here].expand(draws, -1, -1)
            environment, scores = score_queries(
                model, support, u, z_i, reference, memory, warm=warm, calibration=calibration
            )
            logits[:, positions] = scores.logit.cpu().numpy()
            r[positions] = scores.r[0].expand(len(positions)).cpu().numpy()
            t[positions] = scores.temperature[0].expand(len(positions)).cpu().numpy()
            z_e[int(code)] = scores.z_e.cpu().numpy()
            r_raw[int(code)] = scores.r_raw.cpu().numpy()
            r_cell[int(code)] = scores.r_cell.cpu().numpy()
            r_student[int(code)] = scores.r_student.cpu().numpy()
            if scores.r_teacher is not None and int(code) in self.training_index:
                r_teacher[int(code)] = scores.r_teacher.cpu().numpy()
            extrapolated = None if warm else model.environment.posterior(environment, reference)
            if extrapolated is not None and int(code) not in self.training_index:
                assert environment.place is not None
                posterior[int(code)] = extrapolated.cpu().numpy()
                places[int(code)] = environment.place.cpu().numpy()
            opened = model.energy.gate(scores.r_cell)
            if opened is not None:
                gate[int(code)] = opened.cpu().numpy()
        u_alone = encoded.u.cpu().numpy()
        return SplitScores(
            split=split,
            pairs=pairs,
            label=label,
            cell=cell,
            u=u_alone,
            z_i=encoded.z_i.cpu().numpy(),
            r=r,
            t=t,
            logits=logits,
            z_e=z_e,
            r_cell=r_cell,
            r_raw=r_raw,
            r_student=r_student,
            r_teacher=r_teacher,
            posterior=posterior,
            places=places,
            gate=gate if gate else None,
        )

    def support(self, encoded: Encoded, chosen: Tensor, cell: Tensor, v: Tensor | None = None) -> Support:
        """Unlabelled support sets from cached features: chosen [D, S] positions, cell [D], v_c [D, F]."""
        zeros = torch.zeros(chosen.shape, device=self.device)
        z_i, u = encoded.stream[chosen], encoded.u[chosen]
        return Support(z_i=z_i, u=u, label=zeros, labelled=zeros, cell=cell, v=v)
