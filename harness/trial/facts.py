"""What scoring a pair needs to know beside weights: kept with those of the selected epoch, as plain data and tensors."""

from typing import Any

import numpy as np

from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.trial.episodes.cell_facts import (
    feature_scale,
    presented_features,
    relation_matrix,
)


def scoring_facts(
    config: ConfigurationBlock, dataset: EncodedDataset, codes: np.ndarray, seed: int
) -> dict[str, Any]:
    """`cell_lines`, the training ones in the order that the model counts them in; `v` [C, F], their features as they were
    presented, and `scale`, the names, means and spreads by which those of other cell lines are standardised (both None
    where nothing reads features); `relations` [C, C], None without a table.
    """
    shown = presented_features(config, dataset, codes, seed)
    scale = None
    if shown is not None:
        assert dataset.feature_names is not None
        of_lines = feature_scale(dataset, codes)
        scale = {
            "names": list(dataset.feature_names),
            "mean": of_lines.mean.tolist(),
            "spread": of_lines.spread.tolist(),
        }
    return {
        "cell_lines": [dataset.cell_lines[code] for code in codes],
        "v": None if shown is None else shown[codes],
        "scale": scale,
        "relations": relation_matrix(config, dataset, codes),
    }
