"""Encoded data that are not their source are never published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.config.blocks.data import DataBlock
from harness.data import encode
from harness.data.arrays import save_array
from harness.data.bases import cut_windows, encode_bases
from harness.data.read_back import EncodingError
from harness.data.store import open_dataset

saved = save_array


def opened(block: DataBlock, cache: Path) -> None:
    open_dataset(block, enhancer_bp=64, promoter_bp=64, cache=cache, progress=False)


def column(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., None]:
    return lambda file, values: saved(file, change(values) if file.name == f"{name}.npy" else values)


def padded(*inputs: Any, **named: Any) -> Any:
    for part in cut_windows(*inputs, **named):
        part[:, -1] = 4
        yield part


WRONG = {
    "labels": ("save_array", column("label", lambda v: np.roll(v, 1)), "its label was encoded as"),
    "cell lines": ("save_array", column("cell", lambda v: v[::-1]), "its cell_line was encoded as"),
    "rows": ("save_array", column("promoter_row", lambda v: np.roll(v, 1)), "was encoded as another sequence"),
    "strand": ("encode_bases", lambda texts: encode_bases([t[::-1] for t in texts]), "as another sequence"),
    "last base": ("cut_windows", padded, "its window is not the middle of its sequence"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrongly_encoded_data_are_not_published(
    name: str, tiny_block: DataBlock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, change, sentence = WRONG[name]
    monkeypatch.setattr(encode, function, change)
    with pytest.raises(EncodingError, match=sentence):
        opened(tiny_block, tmp_path)
    monkeypatch.undo()
    opened(tiny_block, tmp_path)
