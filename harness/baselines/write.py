"""Baselines into a run's store, computed once per data, splits and code."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import sklearn
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import analysis.metrics
from analysis.schema import SCHEMA_VERSION, to_table
from harness.baselines.baseline import BASELINES
from harness.baselines.evaluate import SCORED, evaluate_fold
from harness.baselines.features import PairFeatures
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, Splits, split


def write_baselines(
    dataset: EncodedDataset, folds: Sequence[Fold], run_dir: Path, cache: Path, *, progress: bool = False
) -> list[Path]:
    """Write RUN/baselines/<fold>.parquet for every fold and return the paths, in the order of `folds`.

    A fold is computed once per content of the data, of its splits and of the code, and copied from `cache`
    after that. Files appear whole (hidden name, then rename). Two processes at once do the work twice, to the
    same result.

    Raises
    ------
    UserError
        for a fold that does not fit the dataset (see harness.data.folds.split).
    """
    features = PairFeatures(dataset)
    written = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not progress, transient=True) as bar:
        task = bar.add_task("baselines", total=len(folds) * len(BASELINES.keys()))
        for number, fold in enumerate(folds):
            before = number * len(BASELINES.keys())

            def started(number: int, name: str, fold: Fold = fold, before: int = before) -> None:
                bar.update(task, completed=before + number, description=f"{fold.name}: {name}")

            splits = split(dataset, fold)
            stored = cache / "baselines" / f"{_key(dataset, fold, splits)}.parquet"
            if not stored.is_file():
                table = to_table("baselines", evaluate_fold(features, fold, splits, started=started))
                with _appearing(stored) as file:
                    pq.write_table(table, file)
            target = run_dir / "baselines" / f"{fold.name}.parquet"
            with _appearing(target) as file:
                shutil.copyfile(stored, file)
            written.append(target)
    return written


@contextlib.contextmanager
def _appearing(final: Path) -> Iterator[Path]:
    """A hidden sibling of `final` to write to, renamed to it at the end and removed on any error."""
    final.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{final.name}.", dir=final.parent)
    os.close(handle)
    scratch = Path(name)
    try:
        yield scratch
        scratch.chmod(0o644)
        scratch.replace(final)
    finally:
        scratch.unlink(missing_ok=True)


def _key(dataset: EncodedDataset, fold: Fold, splits: Splits) -> str:
    """Identity of a result: the data, the fold's name and pairs, and every source line that makes the numbers."""
    total = hashlib.sha256(
        f"{dataset.hash} {fold.name} store {SCHEMA_VERSION} scikit-learn {sklearn.__version__}".encode()
    )
    for name in ("train", *SCORED):
        total.update(getattr(splits, name).tobytes())
    sources = [file for file in sorted(Path(__file__).parent.glob("*.py")) if file.name != "__main__.py"]
    for file in [*sources, Path(analysis.metrics.__file__)]:
        total.update(file.read_bytes())
    return total.hexdigest()[:24]
