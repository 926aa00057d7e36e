"""Read a dataset folder: PRISM's CSV layout or the same tables as Parquet."""

from pathlib import Path

from harness.data.raw import RawDataset
from harness.errors import UserError


def input_files(root: Path) -> dict[str, Path]:
    raise UserError(f"{root}: dataset folders are not read yet; use data.synthetic")


def read(root: Path) -> RawDataset:
    raise UserError(f"{root}: dataset folders are not read yet; use data.synthetic")
