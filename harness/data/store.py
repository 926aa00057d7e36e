"""Open a dataset: encoded once under a content hash, shared by every process from then on."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from functools import cache as cached
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analysis.errors import UserError
from harness.config.blocks.data import DataBlock
from harness.data.dataset import FORMAT, EncodedDataset
from harness.data.encode import Start, encode, write_windows
from harness.data.publishing import locked, publish, writing_cache
from harness.data.raw import RawDataset
from harness.data.read import READING, input_files, layout_notes, read
from harness.data.read_back import read_back, read_windows_back
from harness.data.synthetic import GENERATOR, generate
from harness.stamp.code import Code

MAKERS = ("harness.data.encode", "harness.data.read", "harness.data.synthetic")
"""Modules that make encoded data; what they import is code of the encoded data too."""


def open_dataset(
    block: DataBlock, *, enhancer_bp: int, promoter_bp: int, cache: Path, progress: bool
) -> EncodedDataset:
    """The encoded dataset of `block` with windows of at most `enhancer_bp` and `promoter_bp`, below `cache`.

    The first call reads, checks and encodes (with a progress bar when `progress`). Later calls, from any process, hash
    the files and map what is there, unless other code of `MAKERS` encoded it. Of two processes that start at once the
    second waits on a lock that the kernel drops if the first is killed. A complete folder becomes visible by one rename,
    so that a kill leaves nothing half-written to be read.

    Raises
    ------
    UserError
        for every bad input, with file, row and what was expected, and for a cache that is full or cannot be written.
    """
    cache = cache.expanduser()
    digest = content_hash(block)
    view = _view(digest, cache, enhancer_bp, promoter_bp)
    folder = view.parent
    with contextlib.ExitStack() as stack:
        with writing_cache(cache):
            there = view.is_dir()
            if not there:
                cache.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(cache / f".{folder.name}.lock"))
        bar = stack.enter_context(_bar(progress and not there))
        if not there and not folder.is_dir():
            raw = _load(block)
            with writing_cache(cache):
                publish(folder, lambda new: _encoded(raw, new, digest, bar))
        if not there and not view.is_dir():
            crops = {"enhancers": enhancer_bp, "promoters": promoter_bp}
            with writing_cache(cache):
                publish(view, lambda new: _cut(folder, new, crops, bar))
    dataset = EncodedDataset.open(view, block.origin)
    if block.root is not None:
        dataset.notes[:0] = layout_notes(block.root)
    return dataset


def is_encoded(block: DataBlock, *, enhancer_bp: int, promoter_bp: int, cache: Path) -> bool:
    """Whether `open_dataset` would find it below `cache`, and write nothing there; UserError as `content_hash`."""
    return _view(content_hash(block), cache.expanduser(), enhancer_bp, promoter_bp).is_dir()


def _view(digest: str, cache: Path, enhancer_bp: int, promoter_bp: int) -> Path:
    """Where windows of these widths lie, in the folder of their data."""
    return cache / f"{digest[:16]}-{FORMAT}-{encoding_code()}" / f"windows-{enhancer_bp}-{promoter_bp}"


def content_hash(block: DataBlock) -> str:
    """SHA-256 over the synthetic block, or over the bytes of every input file and how they are read.

    Raises UserError for a file that is missing or cannot be read.
    """
    total = hashlib.sha256(b"format 1\n")
    if block.synthetic is not None:
        text = json.dumps(block.synthetic.identity(), sort_keys=True)
        total.update(f"synthetic {GENERATOR} {text}".encode())
        return total.hexdigest()
    assert block.root is not None
    total.update(f"reading {READING}, contradictions: {block.contradictions}\n".encode())
    try:
        for name, file in sorted(input_files(block.root).items()):
            with file.open("rb") as stream:
                total.update(f"{name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    except OSError as error:
        raise UserError(f"{error.filename or block.root} cannot be read: {error.strerror}") from None
    return total.hexdigest()


@cached
def encoding_code() -> str:
    """First 8 hexadecimal digits of the hash over the syntax trees of the code that makes encoded data, as this process
    found it; the data are the same under another one, and what is stored of them may not be."""
    return Code.of(begin=MAKERS).hash[:8]


def _load(block: DataBlock) -> RawDataset:
    if block.synthetic is not None:
        return generate(block.synthetic)
    assert block.root is not None
    return read(block.root, drop_contradictions=block.contradictions == "drop")


def _encoded(raw: RawDataset, new: Path, digest: str, start: Start) -> None:
    """Encode, and read it back."""
    encode(raw, new, hash=digest, start=start)
    read_back(raw, new)


def _cut(folder: Path, new: Path, crops: dict[str, int], start: Start) -> None:
    """Cut windows, and read them back."""
    write_windows(folder, new, crops=crops, start=start)
    read_windows_back(folder, new, crops=crops)


@contextlib.contextmanager
def _bar(show: bool) -> Iterator[Start]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not show) as progress:

        def start(what: str, total: int) -> Callable[[int], None]:
            task = progress.add_task(what, total=total)
            return lambda rows: progress.advance(task, rows)

        yield start
