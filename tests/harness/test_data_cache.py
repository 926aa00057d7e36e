"""The cache: full, read-only or damaged it costs one sentence, and it never answers for another folder."""

import errno
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.errors import UserError
from harness.config.blocks.data import DataBlock
from harness.data import arrays, encode, store
from harness.data.arrays import new_array, save_array
from harness.data.dataset import FORMAT, EncodedDataset
from harness.data.publishing import check_cache
from harness.data.read import READING
from harness.data.store import open_dataset
from harness.stamp.code import PACKAGES, ROOT
from tests.harness.command import Ended, command
from tests.harness.small_data import change_cell, small_tables, write_parquet

SIZE = {"enhancer_bp": 80, "promoter_bp": 70}


def opened(root: Path, cache: Path) -> EncodedDataset:
    return open_dataset(DataBlock(root=root), **SIZE, cache=cache, progress=False)


def left(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if not path.name.endswith(".lock")] if cache.is_dir() else []


LIMITED = """
import resource, sys
from harness.data.__main__ import main
from analysis.errors import run_cli
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
run_cli(main)
"""


@pytest.mark.parametrize("limit", [1, 4_000, 60_000])
def test_files_that_may_not_grow_are_one_sentence(limit: int, tmp_path: Path) -> None:
    """A page of a map that the file has no room for would end the process with a signal and no word."""
    root = write_parquet(tmp_path / "data", small_tables(per_line=160))
    cache = tmp_path / "cache"
    asked = [sys.executable, "-c", LIMITED, str(limit), "describe", str(root), "--cache", str(cache)]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"error: cache {cache} has no room for the encoded data (File too large); free some, or keep them elsewhere "
        "with --cache\n"
    )
    assert left(cache) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB, where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    asked = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if asked.returncode != 0:
        pytest.skip("needs the right to mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def describe(root: Path, cache: Path) -> Ended:
    return command("harness.data", "describe", root, "--cache", cache)


def test_a_full_disk_is_one_sentence_and_keeps_nothing_half(small_disk: Path, tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "data", small_tables(per_line=400))
    ended = describe(root, small_disk)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        f"error: cache {small_disk} has no room for the encoded data (No space left on device); free some, or keep "
        "them elsewhere with --cache\n"
    )
    assert left(small_disk) == []
    subprocess.run(["mount", "-o", "remount,size=30m", str(small_disk)], check=True)
    assert len(opened(root, small_disk)) == 2000
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert describe(root, small_disk).returncode == 2, "another crop would have to be written"
    assert len(opened(root, small_disk)) == 2000, "what is there can be read"


def test_a_read_only_cache_is_one_sentence(small_disk: Path, tmp_path: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    root = write_parquet(tmp_path / "data", small_tables())
    for cache in (small_disk, small_disk / "new"):
        with pytest.raises(UserError) as raised:
            opened(root, cache)
        assert str(raised.value) == (
            f"cache {cache} cannot be written: its file system is read-only; give a folder that can be written (--cache)"
        )


def test_a_cache_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "data", small_tables())
    file = tmp_path / "file"
    file.write_text("")
    for cache in (file, file / "below"):
        said = f"cache {cache} cannot be written: a file stands where a folder is needed; give another folder"
        with pytest.raises(UserError, match=f"^{said} \\(--cache\\)$"):
            opened(root, cache)
        with pytest.raises(UserError, match=f"^{said} \\(--cache\\)$"):
            check_cache(cache)
    check_cache(tmp_path / "new" / "below")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", [0, 3, 4, 17, 18, 19])
def test_a_write_that_fails_anywhere_leaves_nothing(
    call: int, error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, cache, calls = write_parquet(tmp_path / "data", small_tables()), tmp_path / "cache", 0

    def fail(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > call:
            raise OSError(error, os.strerror(error))
        return new_array(*given)

    monkeypatch.setattr(arrays, "new_array", fail)
    monkeypatch.setattr(encode, "new_array", fail)
    with pytest.raises(UserError, match=f"^cache {cache} .*({os.strerror(error)}|its disk reports an error)"):
        opened(root, cache)
    views = [path for path in left(cache) if "windows" in path.name or ".new-" in path.name]
    assert views == []
    monkeypatch.undo()
    assert len(opened(root, cache)) == 80


def test_arrays_are_written_as_numpy_writes_them(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.int16).reshape(8, 3)
    with new_array(tmp_path / "parts.npy", np.int16, (8, 3)) as append:
        for part in (values[:5], values[5:]):
            append(part)
    save_array(tmp_path / "whole.npy", values.T)
    np.save(tmp_path / "numpy.npy", values)
    assert (tmp_path / "parts.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    np.testing.assert_array_equal(np.load(tmp_path / "whole.npy", mmap_mode="r"), values.T)
    with (
        pytest.raises(ValueError, match=r"short.npy: 15 values for an array of shape \(8, 3\)"),
        new_array(tmp_path / "short.npy", np.int16, (8, 3)) as append,
    ):
        append(values[:5])


def test_the_origin_is_that_of_this_start(tmp_path: Path) -> None:
    tables = small_tables()
    mine, copy = (write_parquet(tmp_path / name, tables) for name in ("mine", "copy"))
    first, second = opened(mine, tmp_path / "cache"), opened(copy, tmp_path / "cache")
    assert first.path == second.path
    assert (first.origin, second.origin) == (str(mine), str(copy))
    assert pickle.loads(pickle.dumps(second)).origin == str(copy)
    stored = (first.path.parent / "meta.json").read_text()
    assert str(tmp_path) not in stored


def test_notes_name_no_folder(tmp_path: Path) -> None:
    tables = small_tables()
    tables["pairs"] = tables["pairs"].iloc[[*range(80), 0]]
    change_cell(tables["enhancers"], 3, "sequence", lambda sequence: sequence + "A")
    notes = opened(write_parquet(tmp_path / "data", tables), tmp_path / "cache").notes
    assert len(notes) == 2
    assert not any(str(tmp_path) in note for note in notes)


def test_a_store_of_another_layout_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_parquet(tmp_path / "data", small_tables())
    now = opened(root, tmp_path / "cache").path
    monkeypatch.setattr(store, "FORMAT", FORMAT - 1)
    assert opened(root, tmp_path / "cache").path != now
    monkeypatch.undo()
    monkeypatch.setattr(store, "READING", READING + 1)
    assert opened(root, tmp_path / "cache").hash != json.loads((now.parent / "meta.json").read_text())["hash"]


@pytest.mark.parametrize("name", ["../meta.json", "enhancers.npy", "../pairs/label.npy"])
def test_a_damaged_store_is_named(name: str, tmp_path: Path) -> None:
    root = write_parquet(tmp_path / "data", small_tables())
    dataset = opened(root, tmp_path / "cache")
    file = dataset.path / name
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(UserError) as raised:
        opened(root, tmp_path / "cache")
    assert str(raised.value).startswith(f"{dataset.path.parent}: the encoded data are damaged (")
    assert "delete that folder" in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        "enhancers.npy",
        "promoters.npy",
        "enhancers_content.npy",
        "../pairs/label.npy",
        "../enhancers/bases.npy",
    ],
)
def test_an_array_that_was_overwritten_in_its_shape_is_named(name: str, tmp_path: Path) -> None:
    """As many bytes and a header that can be read: no reader would notice that they are zeros."""
    root = write_parquet(tmp_path / "data", small_tables())
    dataset = opened(root, tmp_path / "cache")
    file = dataset.path / name
    np.save(file, np.zeros_like(np.load(file)))
    with pytest.raises(UserError) as raised:
        opened(root, tmp_path / "cache")
    folder = file.resolve().parent.name if name.startswith("../") else ""
    shown = f"{dataset.path.parent.name}/{folder}/" if folder else f"{dataset.path.name}/"
    assert str(raised.value) == (
        f"{dataset.path.parent}: the encoded data are damaged (ValueError: {shown}{file.name} is not what was written); "
        "delete that folder, and the next start encodes them again"
    )
    shutil.rmtree(dataset.path.parent)
    assert len(opened(root, tmp_path / "cache")) == 80


def test_copied_cache_is_hashed_and_a_published_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_parquet(tmp_path / "data", small_tables())
    dataset = opened(root, tmp_path / "cache")
    hashed: list[Any] = []
    digest = hashlib.file_digest

    def count(stream: Any, kind: str) -> Any:
        hashed.append(stream.name)
        return digest(stream, kind)

    monkeypatch.setattr(hashlib, "file_digest", count)
    EncodedDataset.open(dataset.path)
    assert hashed == []
    copy = tmp_path / "copy"
    shutil.copytree(dataset.path.parent, copy, copy_function=shutil.copyfile)
    again = EncodedDataset.open(copy / dataset.path.name)
    np.testing.assert_array_equal(again.enhancers, dataset.enhancers)
    assert len(hashed) == sum(path.is_file() for path in copy.rglob("*")) - 2


OPENED = """
import sys
from pathlib import Path
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.data.read import READING
from harness.data.store import open_dataset

block = DataBlock(synthetic=SyntheticBlock(cell_lines=4, pairs_per_cell=20, chromosomes=2, enhancer_bp=80))
dataset = open_dataset(block, enhancer_bp=80, promoter_bp=70, cache=Path(sys.argv[1]), progress=False)
print(dataset.hash, dataset.path.parent.name, "".join(str(int(label)) for label in dataset.label))
"""


def test_edited_data_code_encodes_anew_and_a_comment_does_not(tmp_path: Path) -> None:
    """Else a model would train on what older code made of the data, under a stamp of the new code."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=lambda _, names: [n for n in names if n == "__pycache__"],
        )

    def run() -> list[str]:
        asked = [sys.executable, "-B", "-c", OPENED, str(tmp_path / "cache")]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            asked, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
        ).stdout.split()

    digest, folder, labels = run()
    generator = tmp_path / "harness" / "data" / "synthetic.py"
    text = generator.read_text()
    generator.write_text(text + "# a comment\n")
    assert run() == [digest, folder, labels]
    edited = (
        "\n\n_first = generate\n\n\ndef generate(block):\n    import dataclasses\n\n    raw = _first(block)\n"
    )
    edited += '    return dataclasses.replace(raw, pairs=raw.pairs.assign(label=1 - raw.pairs["label"]))\n'
    generator.write_text(text + edited)
    other = run()
    assert other[0] == digest, "it is the same data, and the stamp of the code tells the two apart"
    assert other[1] != folder
    assert other[2] == labels.translate(str.maketrans("01", "10"))
    generator.write_text(text)
    assert run() == [digest, folder, labels]
