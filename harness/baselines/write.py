"""Baselines into a run's store, computed once per data, splits and code."""

import hashlib
import pkgutil
from collections.abc import Sequence
from functools import cache as cached
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import harness.baselines
from analysis.schema import SCHEMA_VERSION, to_table
from harness.baselines.baseline import BASELINES
from harness.baselines.evaluate import evaluate_fold
from harness.baselines.features import PairFeatures
from harness.config.sweep.use import loaded, with_imported
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.stamp.code import Code
from harness.stamp.stamp import package_versions
from harness.store.writer import replace_atomically

IDENTITY = b"identity"
"""Key of a file's metadata under which it says what its numbers are of."""


def write_baselines(
    dataset: EncodedDataset, folds: Sequence[Fold], run_dir: Path, cache: Path, *, progress: bool = False
) -> list[Path]:
    """Write RUN/baselines/<fold>.parquet for every fold and return the paths, in the order of `folds`.

    A fold is computed once per `identity`, and copied from `cache` after that; a file of another one is replaced.
    Files appear whole (hidden name, then rename). Two processes at once do the work twice, to the
    same result.

    Raises
    ------
    UserError
        for a fold that does not fit the dataset (see harness.data.folds.split).
    """
    features = PairFeatures(dataset)
    written = []
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, disable=not progress, transient=True) as bar:
        task = bar.add_task("baselines", total=len(folds) * len(BASELINES.keys()))
        for number, fold in enumerate(folds):
            before = number * len(BASELINES.keys())

            def started(number: int, name: str, fold: Fold = fold, before: int = before) -> None:
                bar.update(task, completed=before + number, description=f"{fold.name}: {name}")

            key = identity(dataset.hash, fold)
            stored = cache / "baselines" / f"{key}.parquet"
            if not stored.is_file():
                rows = evaluate_fold(features, fold, split(dataset, fold), started=started)
                table, buffer = to_table("baselines", rows), pa.BufferOutputStream()
                metadata = {**(table.schema.metadata or {}), IDENTITY: key.encode()}
                pq.write_table(table.replace_schema_metadata(metadata), buffer)
                replace_atomically(stored, buffer.getvalue().to_pybytes())
            target = run_dir / "baselines" / f"{fold.id}.parquet"
            replace_atomically(target, stored.read_bytes())
            written.append(target)
    return written


def identity(data: str, fold: Fold) -> str:
    """What a fold's baselines are of: the content hash of the data, the fold's content, the code that makes the
    numbers, and the versions of the packages that compute them."""
    text = f"{data} {fold.id} store {SCHEMA_VERSION} {_code()} {package_versions()}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def current(run_dir: Path, data: str, fold: Fold) -> bool:
    """Whether the run has the fold's baselines, on these data and by the code as it is."""
    file = run_dir / "baselines" / f"{fold.id}.parquet"
    try:
        metadata = pq.read_schema(file).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return False
    return bool(metadata.get(IDENTITY) == identity(data, fold).encode())


@cached
def _code() -> str:
    modules = pkgutil.walk_packages(harness.baselines.__path__, "harness.baselines.")
    brought = with_imported(
        file for file in loaded() if any(row.cls.__module__ == file.module for row in BASELINES)
    )
    names = [module.name for module in modules if not module.name.endswith("__main__")]
    return Code.of(begin=names).with_files(brought).hash
