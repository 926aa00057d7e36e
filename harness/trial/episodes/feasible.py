"""Whether a fold can serve a configuration: known before anything is built, so that a sweep can refuse at its start."""

import numpy as np

from analysis.errors import UserError
from harness.config.blocks.environment import IdEnvironmentBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, Splits
from harness.trial.episodes.cell_facts import RELATIONS, relation_matrix, standardised_features
from harness.trial.episodes.sampler import check_episode


def check_feasible(config: ConfigurationBlock, dataset: EncodedDataset, fold: Fold, splits: Splits) -> None:
    """Refuse a configuration that `fold`, divided into `splits`, cannot serve.

    Raises
    ------
    UserError
        for an identity environment on unseen cell lines (unless told to use the mean), and a training cell line with
        fewer pairs than an episode needs different ones, features of cell lines that the data do not have or that
        cannot be standardised, and a table of relations that does not fit the data.
    """
    if isinstance(config.environment, IdEnvironmentBlock) and config.environment.unseen == "error":
        raise UserError(
            f"environment.source: id has no embedding for the unseen cell lines {', '.join((*fold.val, *fold.test))}: "
            "set environment.unseen: mean (the documented failing baseline) or environment.source: support"
        )
    codes, counts = np.unique(dataset.cell[splits.train], return_counts=True)
    standardised_features(config, dataset, codes)
    for path in RELATIONS:
        relation_matrix(config, dataset, codes, path)
    check_episode(
        {dataset.cell_lines[code]: int(count) for code, count in zip(codes, counts, strict=True)},
        config.support.size,
        config.episode.query,
    )
