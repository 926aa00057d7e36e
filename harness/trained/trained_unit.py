"""One trained unit: weights of its selected epoch and what scoring pairs needs beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.errors import UserError, nearest
from harness.config.blocks.environment import IdEnvironmentBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.trial.episodes.batches import encode_pairs
from harness.trial.episodes.cell_facts import FeatureScale
from harness.trial.score.predict import Predictor, SplitScores
from harness.trial.step.schedule import Schedule
from models.building import build_model
from models.environment.resistance import Reference
from models.prism import PrismModel
from models.streams import other_streams

DRAWN_AS = "test"
"""New pairs draw their support sets as the test split does: its own pairs get the scores that the run stored of them."""


class FittedCalibration(NamedTuple):
    """T that brings the logits of the unseen validation pairs to their labels, and the share of positives there."""

    temperature: float
    prevalence: float


@dataclass(frozen=True)
class TrainedUnit:
    """(configuration, fold, seed) with `weights`, what a trainer's `weights()` was at the selected `epoch`.

    `cell_lines`: the training ones in the model's order; `v` [C, F]: their features as presented, and `scale` (names,
    mean, spread) for those of others; `relations` [C, C]; each None where nothing reads it. `fitted`: what temperature
    mode `calibrated` multiplies T by, None in other modes.
    """

    name: str
    config: ConfigurationBlock
    fold: Mapping[str, Any]
    seed: int
    epoch: int
    cell_lines: Sequence[str]
    v: Tensor | None
    scale: Mapping[str, Any] | None
    relations: Tensor | None
    fitted: float | None
    calibration: FittedCalibration
    weights: Mapping[str, Any]

    @cached_property
    def model(self) -> PrismModel:
        """The model with its weights."""
        settings = self.config.model_dump()
        model = build_model(settings, len(self.cell_lines), v=self.v, relations=self.relations)
        model.load_state_dict(self.weights["model"])
        return model

    def scores_of(self, dataset: EncodedDataset, *, draws: int, device: torch.device) -> SplitScores:
        """Every pair of the dataset once, with `draws` support sets per cell line drawn from its own pairs.

        A cell line that was trained on goes by its name, any other as an unseen one.

        Raises
        ------
        UserError
            for a cell line that has no place in an identity environment, for features that the model reads and the pairs
            lack, and for scores that are not finite.
        """
        self._refuse_unknown(dataset.cell_lines)
        index = {name: number for number, name in enumerate(self.cell_lines)}
        known = {code: index[name] for code, name in enumerate(dataset.cell_lines) if name in index}
        predictor = Predictor(
            dataset.cell_lines,
            known,
            support_size=self.config.support.size,
            seed=other_streams(self.seed, self.config.streams),
            device=device,
            v=self._features(dataset, known),
        )
        model, pairs = self.model.to(device), np.arange(len(dataset))
        encoded = encode_pairs(model, dataset, pairs, device, self.config.evaluation.batch)
        scores = predictor.predict(
            model,
            Reference(**{name: part.to(device) for name, part in self.weights["reference"].items()}),
            encoded,
            split=DRAWN_AS,
            pairs=pairs,
            label=np.asarray(dataset.label),
            cell=np.asarray(dataset.cell),
            draws=draws,
            warm=Schedule(self.config.curriculum, self.config.balance).phase(self.epoch) == 1,
            memory={name: value.to(device) for name, value in self.weights["memory"].items()},
            calibration=None if self.fitted is None else torch.tensor(self.fitted, device=device),
        )
        if not np.isfinite(scores.logits).all():
            raise UserError(f"{self.name}: scores of these pairs are not finite")
        return scores

    def _refuse_unknown(self, names: Sequence[str]) -> None:
        environment = self.config.environment
        if isinstance(environment, IdEnvironmentBlock) and environment.unseen == "error":
            for name in names:
                if name not in self.cell_lines:
                    raise UserError(
                        f"{self.name}: environment.source: id has an embedding of the training cell lines alone, and none "
                        f"of {name}{nearest(name, self.cell_lines)} (there: {', '.join(self.cell_lines)})"
                    )

    def _features(self, dataset: EncodedDataset, known: Mapping[int, int]) -> Tensor | None:
        """v_c [cell lines of the dataset, F]: of training cell lines as presented, of others standardised alike."""
        if self.scale is None or self.v is None:
            return None
        names = list(self.scale["names"])
        there = dataset.feature_names if dataset.features is not None else None
        lacking = [name for name in names if name not in (there or ())]
        if lacking:
            raise UserError(
                f"{self.name} reads features of the cell lines, and {dataset.origin} lacks {len(lacking)} of {len(names)} "
                f"(the first is '{lacking[0]}'{nearest(lacking[0], there or ())}): expected a table cell_features.parquet "
                "(cell_line, feature, value) beside the pairs"
            )
        assert dataset.features is not None
        assert there is not None
        columns = [there.index(name) for name in names]
        table = np.stack([dataset.features[name][columns] for name in dataset.cell_lines]).astype(float)
        scaled = FeatureScale(np.asarray(self.scale["mean"]), np.asarray(self.scale["spread"])).apply(table)
        shown = torch.from_numpy(scaled)
        for code, place in known.items():
            shown[code] = self.v[place]
        return shown
