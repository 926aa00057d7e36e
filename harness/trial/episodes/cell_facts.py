"""What is known of cell lines before any sequence is read: standardised features v_c, and relations between tissues."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.errors import UserError, nearest
from harness.config.blocks.environment import RelationBlock, SupportEnvironmentBlock
from harness.config.blocks.environment_checks import reads_features
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from models.streams import generator

RELATIONS = ("environment.graph.relations", "loss.contrastive.relations")
"""Where a configuration may give a table of relations between cell lines."""


class FeatureScale(NamedTuple):
    """mean and spread [F], float64, of the features over the training cell lines."""

    mean: np.ndarray
    spread: np.ndarray

    def apply(self, table: np.ndarray) -> np.ndarray:
        """(x - mean) / spread of features [n, F], float32; 0 where the spread is 0 (an overflow, NaN, is no constant)."""
        varies = ~(self.spread <= 1e-8)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (table - self.mean) / np.where(varies, self.spread, 1.0)
            return np.where(varies, scaled, 0.0).astype("float32")


def feature_scale(dataset: EncodedDataset, codes: np.ndarray) -> FeatureScale:
    """The scale of the training cell lines `codes`, of a dataset that has features."""
    table = _feature_table(dataset)
    with np.errstate(over="ignore", invalid="ignore"):
        return FeatureScale(table[codes].mean(0), table[codes].std(0))


def _feature_table(dataset: EncodedDataset) -> np.ndarray:
    assert dataset.features is not None
    return np.stack([dataset.features[name] for name in dataset.cell_lines]).astype(float)


def standardised_features(
    config: ConfigurationBlock, dataset: EncodedDataset, codes: np.ndarray
) -> Tensor | None:
    """v_c float32 [cell lines of the dataset, F], mean 0 and standard deviation 1 over the training cell lines `codes`.

    None where the configuration does not read them. A feature that is constant over the training cell lines says
    nothing that could be learned there, and is 0 everywhere.

    Raises
    ------
    UserError
        where the configuration reads features and the data have none, and for a feature whose values are too large, or
        too far from those of the training cell lines, to be standardised in float32.
    """
    reader = reads_features(config.environment, config.loss)
    if reader is None:
        return None
    if dataset.features is None:
        raise UserError(
            f"{reader} reads features of the cell lines, and {dataset.origin} has none: expected a table "
            "cell_features.parquet (cell_line, feature, value) beside the pairs; environment.source: support needs none"
        )
    table, scale = _feature_table(dataset), feature_scale(dataset, codes)
    scaled = scale.apply(table)
    possible = np.isfinite(scaled) & np.isfinite(scale.mean) & np.isfinite(scale.spread)
    if not possible.all():
        assert dataset.feature_names is not None
        column = int(np.argmin(possible.all(0)))
        row = int(np.argmax(np.abs(table[:, column])))
        raise UserError(
            f"feature '{dataset.feature_names[column]}' of {dataset.origin} cannot be standardised over the training cell "
            f"lines: it is {table[row, column]:g} in {dataset.cell_lines[row]}; expected values whose squares are finite, "
            "in units such as log counts"
        )
    return torch.from_numpy(scaled)


def presented_features(
    config: ConfigurationBlock, dataset: EncodedDataset, codes: np.ndarray, seed: int
) -> Tensor | None:
    """`standardised_features` as the model is given them. Under a placebo of the source `features` every training cell line
    has those of another one, in one cycle from the stream (seed, "permuted", "features"); the others have their own, so
    that nothing of them is trained on. Of one training cell line there is nothing to exchange."""
    features = standardised_features(config, dataset, codes)
    if features is None or "features" not in config.permuted:
        return features
    order = torch.randperm(len(codes), generator=generator(seed, "permuted", "features"))
    trained = torch.as_tensor(codes, dtype=torch.long)
    shown = features.clone()
    shown[trained[order]] = features[trained[order.roll(1)]]
    return shown


def relation_matrix(
    config: ConfigurationBlock, dataset: EncodedDataset, codes: np.ndarray, path: str = RELATIONS[0]
) -> Tensor | None:
    """Weights [C, C] of the relations that the configuration gives at `path` (`environment.graph.relations` or
    `loss.contrastive.relations`) between the training cell lines `codes`; None where the table is empty.

    Raises
    ------
    UserError
        for a cell line that the data do not have, one related to itself, and a table that joins no two training
        cell lines.
    """
    rows = _relations(config, path)
    if not rows:
        return None
    place = {dataset.cell_lines[code]: index for index, code in enumerate(codes)}
    weights = torch.zeros(len(codes), len(codes))
    for row in rows:
        for name in (row.a, row.b):
            if name not in dataset.cell_lines:
                raise UserError(
                    f"{path} names '{name}', which is no cell line of the data"
                    f"{nearest(name, dataset.cell_lines)}"
                )
        if row.a == row.b:
            raise UserError(f"{path} relates {row.a} to itself")
        if row.a in place and row.b in place:
            i, j = place[row.a], place[row.b]
            weights[i, j] = weights[j, i] = row.weight
    if not weights.any():
        raise UserError(f"{path} joins no two training cell lines of this fold ({', '.join(sorted(place))})")
    return weights


def _relations(config: ConfigurationBlock, path: str) -> list[RelationBlock]:
    """Rows of the relation table at `path`; none for a configuration that does not read it."""
    if path == "loss.contrastive.relations":
        return config.loss.contrastive.relations if config.loss.contrastive.weight > 0 else []
    block = config.environment
    return block.graph.relations if isinstance(block, SupportEnvironmentBlock) else []
