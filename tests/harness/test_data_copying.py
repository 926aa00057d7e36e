"""Encoded data as bytes and back: one process of a machine writes them, and no other bytes than were published."""

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import UserError
from harness.data.copying import Files, copy_here, read_files
from harness.data.dataset import EncodedDataset


@pytest.fixture
def elsewhere(tiny_dataset: EncodedDataset, tmp_path: Path) -> Path:
    """Where the dataset would be on a machine that does not have it."""
    return tmp_path / "cache" / tiny_dataset.path.parent.name / tiny_dataset.path.name


def test_one_of_several_processes_fetches_what_is_missing(
    tiny_dataset: EncodedDataset, elsewhere: Path
) -> None:
    fetched: list[int] = []
    written: list[int | None] = []
    begin = threading.Barrier(4)

    def fetch() -> Mapping[str, Files]:
        fetched.append(1)
        return read_files(tiny_dataset.path)

    def worker() -> None:
        begin.wait()
        written.append(copy_here(elsewhere, fetch))

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1
    (size,) = (each for each in written if each is not None)
    copy = EncodedDataset.open(elsewhere)
    assert size == sum(file.stat().st_size for file in tiny_dataset.path.parent.rglob("*") if file.is_file())
    assert copy.hash == tiny_dataset.hash
    for name in (*EncodedDataset.COLUMNS, "enhancers", "promoters"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(tiny_dataset, name))
    assert copy.pair_names(np.arange(3)).equals(tiny_dataset.pair_names(np.arange(3)))
    assert copy_here(elsewhere, fetch) is None
    assert len(fetched) == 1


def test_a_view_alone_is_sent_to_a_store_that_is_there(tiny_dataset: EncodedDataset, elsewhere: Path) -> None:
    copy_here(elsewhere, lambda: read_files(tiny_dataset.path))
    shutil.rmtree(elsewhere)
    view = sum(file.stat().st_size for file in tiny_dataset.path.rglob("*") if file.is_file())
    assert copy_here(elsewhere, lambda: read_files(tiny_dataset.path)) == view
    EncodedDataset.open(elsewhere)


def test_other_bytes_than_were_published_are_not_written(
    tiny_dataset: EncodedDataset, elsewhere: Path
) -> None:
    files = read_files(tiny_dataset.path)
    store = tiny_dataset.path.parent.name
    label = files[store]["pairs/label.npy"].copy()
    label[-1] ^= 1
    harmed = {**files, store: {**files[store], "pairs/label.npy": label}}
    with pytest.raises(UserError, match=r"pairs/label\.npy of the encoded data is not what was sent"):
        copy_here(elsewhere, lambda: harmed)
    assert [file.name for file in elsewhere.parents[1].iterdir()] == [f".{store}.lock"]


def test_a_place_that_cannot_be_written_is_one_sentence(tiny_dataset: EncodedDataset, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    view = tmp_path / "file" / tiny_dataset.path.parent.name / tiny_dataset.path.name
    with pytest.raises(
        UserError,
        match=r"cache .*file cannot be written: a file stands .* \(--cache\)",
    ):
        copy_here(view, lambda: read_files(tiny_dataset.path))
