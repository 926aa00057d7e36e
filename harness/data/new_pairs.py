"""Pairs without labels, to be predicted: read, checked and encoded as those of a dataset are, into a folder of one use."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from analysis.errors import UserError
from harness.data.bedpe import read_bedpe
from harness.data.check import check_pairs
from harness.data.dataset import EncodedDataset
from harness.data.encode import encode, write_windows
from harness.data.fasta import Fasta
from harness.data.parts import of_genome, parts_of
from harness.data.raw import RawDataset
from harness.data.read import FEATURES, assembled, input_files
from harness.data.table import PairTable, check_file, read_csv, read_parquet

TABLES = {".csv": read_csv, ".parquet": read_parquet, ".bedpe": read_bedpe}
"""End of a file's name -> what reads its pairs; their sequences are those of a FASTA."""


def read_new_pairs(source: Path, fasta: Path | None, cell_line: str | None) -> RawDataset:
    """Pairs of a dataset folder, or of a BEDPE, CSV or Parquet file with a FASTA; labels are not looked at (-1).
    `cell_line`: of all pairs of a file, in place of its column.

    Raises
    ------
    UserError
        as the reading of a dataset does, and for a file without a FASTA, or of a kind that is not read.
    """
    if source.is_dir():
        for option, value in (("--fasta", fasta), ("--cell-line", cell_line)):
            if value is not None:
                raise UserError(
                    f"{option} belongs to a file of pairs, and {source} is a folder, which says it itself"
                )
        files = input_files(source)
        return assembled(
            parts_of(files, labelled=False), source, features=files.get(FEATURES), labelled=False
        )
    check_file(source)
    kind = source.suffix.lower()
    if kind not in TABLES:
        raise UserError(
            f"{source}: pairs are read from {', '.join(TABLES)} files and dataset folders, not from '{kind or source.name}'"
        )
    if fasta is None:
        raise UserError(
            f"{source} holds regions, and no sequences: give --fasta GENOME.fa, or a dataset folder that has them"
        )
    if kind == ".bedpe":
        pairs = read_bedpe(source, cell_line=cell_line, labelled=False)
    else:
        pairs = TABLES[kind](source)
        if cell_line is not None:
            frame = pairs.frame.assign(cell_line=cell_line)
            pairs = PairTable(frame, pairs.file, pairs.unit, pairs.first)
    beside = source.parent / FEATURES
    parts = of_genome(check_pairs(pairs, labelled=False), Fasta(fasta))
    return assembled(parts, source.parent, features=beside if beside.is_file() else None, labelled=False)


@contextlib.contextmanager
def encoded_once(
    raw: RawDataset, origin: str, *, enhancer_bp: int, promoter_bp: int
) -> Iterator[EncodedDataset]:
    """The pairs with windows of at most these widths, in a temporary folder that goes afterwards."""

    def start(what: str, total: int) -> Callable[[int], None]:
        return lambda rows: None

    with tempfile.TemporaryDirectory(prefix="new-pairs-") as folder:
        store = Path(folder) / "store"
        encode(raw, store, hash="new pairs", start=start)
        view = store / "windows"
        write_windows(store, view, crops={"enhancers": enhancer_bp, "promoters": promoter_bp}, start=start)
        yield EncodedDataset(view, origin)
