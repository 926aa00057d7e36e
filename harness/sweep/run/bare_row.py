"""The row of `units` of a unit that never had an epoch."""

import json
from collections.abc import Mapping
from typing import Any

from harness.data.folds import Fold
from harness.stamp.stamp import Stamp


def bare_row(
    config: str,
    fold: Fold,
    seed: int,
    *,
    content: Mapping[str, Any],
    changes: Mapping[str, Any],
    objective: str,
    device: str,
    stamp: Stamp | None,
    reason: str,
) -> dict[str, Any]:
    """All that is known without building it; `content` of the configuration with identity `config`. The status is for
    who writes the row to say."""
    return {
        **(stamp.row() if stamp else {}),
        "config": config,
        "fold": fold.id,
        "seed": seed,
        "reason": reason,
        "epochs": 0,
        "objective": objective,
        "device": device,
        "config_json": json.dumps(content, sort_keys=True),
        "changes_json": json.dumps(changes, sort_keys=True),
        "fold_json": json.dumps(fold.content(), sort_keys=True),
    }
