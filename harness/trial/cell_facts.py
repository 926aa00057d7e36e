"""What is known of cell lines before any sequence is read: standardised features v_c, and relations between tissues."""

import numpy as np
import torch
from torch import Tensor

from harness.config.environment import Relation, SupportEnvironment
from harness.config.environment_checks import reads_features
from harness.config.trial import TrialConfig
from harness.data.dataset import EncodedDataset
from harness.errors import UserError, nearest


def standardised_features(config: TrialConfig, dataset: EncodedDataset, codes: np.ndarray) -> Tensor | None:
    """v_c float32 [cell lines of the dataset, F], mean 0 and standard deviation 1 over the training cell lines `codes`.

    None where the configuration does not read them. A feature that is constant over the training cell lines says
    nothing that could be learned there, and is 0 everywhere.

    Raises
    ------
    UserError
        where the configuration reads features and the data have none.
    """
    reader = reads_features(config)
    if reader is None:
        return None
    if dataset.features is None:
        raise UserError(
            f"{reader} reads features of the cell lines, and {dataset.origin} has none: expected a table "
            "cell_features.parquet (cell_line, feature, value) beside the pairs; environment.source: support needs none"
        )
    table = np.stack([dataset.features[name] for name in dataset.cell_lines]).astype(float)
    mean, spread = table[codes].mean(0), table[codes].std(0)
    varies = spread > 1e-8
    scaled = np.where(varies, (table - mean) / np.where(varies, spread, 1.0), 0.0)
    return torch.from_numpy(scaled.astype("float32"))


def relation_matrix(
    config: TrialConfig, dataset: EncodedDataset, codes: np.ndarray, path: str = "environment.graph.relations"
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
            weights[i, j] = weights[j, i] = max(row.weight, float(weights[i, j]))
    if not weights.any():
        raise UserError(f"{path} joins no two training cell lines of this fold ({', '.join(sorted(place))})")
    return weights


def _relations(config: TrialConfig, path: str) -> list[Relation]:
    """Rows of the relation table at `path`; none for a configuration that does not read it."""
    if path == "loss.contrastive.relations":
        return config.loss.contrastive.relations if config.loss.contrastive.weight > 0 else []
    block = config.environment
    return block.graph.relations if isinstance(block, SupportEnvironment) else []
