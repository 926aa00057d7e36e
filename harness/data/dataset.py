"""The encoded dataset that all processes of a machine share, read-only and memory-mapped."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.errors import UserError
from harness.data.bases import decode_bases
from harness.data.seal import check_seal

if TYPE_CHECKING:
    from harness.data.frozen import FrozenFeatures

SideInput = tuple[np.ndarray, np.ndarray]
"""What a side of the sequence side is given, uint8 [M, L], and the row [N] of every pair in it."""
FORMAT = 3
"""Version of the layout on disk; part of a store's name, so that an older or newer one is never misread."""


class EncodedDataset:
    """Pairs as index columns over two matrices of encoded windows; N pairs, M distinct sequences per side.

    `hash` is the SHA-256 of the inputs (bytes of the files and how they are read, or the synthetic block), `origin` says
    in words where they come from; `notes`: what reading normalised and dropped; `contradictory`: pairs dropped for
    contradictory labels, by the enhancer's chromosome. `cell_lines` are sorted, `chromosomes` in natural order;
    `features` maps each cell line to float64 [F] over `feature_names`, or is None. `enhancers` and `promoters` are
    uint8 [M, L], A C G T N = 0..4, centre-cropped and padded with 4 on the right. Another process that opens `path`, or
    unpickles the dataset, maps the same pages.

    Every array but the window contents is a read-only map of a file. There is at least one pair.
    """

    label: np.ndarray
    """int8 [N], 0 or 1."""
    cell: np.ndarray
    """int16 [N], index into `cell_lines`."""
    chrom: np.ndarray
    promoter_chrom: np.ndarray
    """int16 [N] both, index into `chromosomes` of the enhancer and of the promoter."""
    distance: np.ndarray
    """int64 [N], bp between the elements; -1 on different chromosomes."""
    given_split: np.ndarray
    """int8 [N], index into `split_names`; -1 where the source names none."""
    enhancer_row: np.ndarray
    promoter_row: np.ndarray
    """int32 [N], rows of `enhancers` and `promoters`; equal sequences share one."""
    enhancer_content: np.ndarray
    promoter_content: np.ndarray
    """int32 [N], one number per DNA on either strand, the same for an enhancer and a promoter."""
    enhancer_window: np.ndarray
    promoter_window: np.ndarray
    """int32 [N], the same of what the windows hold, padding apart."""
    enhancer_start: np.ndarray
    enhancer_end: np.ndarray
    promoter_start: np.ndarray
    promoter_end: np.ndarray
    """int64 [N], 0-based, end excluded."""

    COLUMNS = (
        "label", "cell", "chrom", "promoter_chrom", "distance", "given_split", "enhancer_row", "promoter_row",
        "enhancer_content", "promoter_content", "enhancer_start", "enhancer_end", "promoter_start", "promoter_end",
    )  # fmt: skip

    def __init__(self, path: Path, origin: str | None = None) -> None:
        self.path = Path(path)
        self.origin = origin if origin is not None else f"the encoded data in {self.path}"
        self._root = self.path.parent
        meta: dict[str, Any] = json.loads((self._root / "meta.json").read_text())
        self.hash: str = meta["hash"]
        self.notes: list[str] = meta["notes"]
        self.contradictory: dict[str, int] = meta["contradictory"]
        self.cell_lines: list[str] = meta["cell_lines"]
        self.chromosomes: list[str] = meta["chromosomes"]
        self.split_names: list[str] = meta["split_names"]
        self.feature_names: list[str] | None = meta["feature_names"]
        self.features: dict[str, np.ndarray] | None = None
        if meta["features"] is not None:
            self.features = {cell: np.asarray(value) for cell, value in meta["features"].items()}
        for name in self.COLUMNS:
            setattr(self, name, _map(self._root / "pairs" / f"{name}.npy"))
        self.enhancers = _map(self.path / "enhancers.npy")
        self.promoters = _map(self.path / "promoters.npy")
        self.enhancer_window = _map(self.path / "enhancers_content.npy")[self.enhancer_row]
        self.promoter_window = _map(self.path / "promoters_content.npy")[self.promoter_row]
        self.frozen: FrozenFeatures | None = None
        """What that side gave; None where the sequence side reads windows."""

    @property
    def original(self) -> "EncodedDataset":
        """The data themselves, of a view in which a frozen sequence side stands for their windows."""
        return self

    @property
    def inputs(self) -> tuple[SideInput, SideInput]:
        """What enhancer and promoter side of a model are given."""
        return (self.enhancers, self.enhancer_row), (self.promoters, self.promoter_row)

    @classmethod
    def open(cls, path: Path | str, origin: str | None = None) -> "EncodedDataset":
        """The dataset view at `path` (the `path` attribute of another one): maps files, copies nothing.

        Raises UserError for a store that is damaged, or was changed since it was published.
        """
        try:
            for folder in (Path(path).parent, Path(path)):
                check_seal(folder)
            return cls(Path(path), origin)
        except (OSError, ValueError, KeyError, EOFError) as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"{Path(path).parent}: the encoded data are damaged ({type(error).__name__}: {reason}); delete that "
                "folder, and the next start encodes them again"
            ) from None

    def hiding(self, known: np.ndarray) -> "EncodedDataset":
        """The same pairs, with label -1 wherever `known` bool [N] is False."""
        other = EncodedDataset(self.path, self.origin)
        other.label = np.where(known, self.label, -1).astype(self.label.dtype)
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        return EncodedDataset, (self.path, self.origin)

    def __len__(self) -> int:
        return len(self.label)

    def enhancer_bases(self, pairs: np.ndarray) -> np.ndarray:
        """Enhancer windows uint8 [B, L_e] of pair indices [B], as a fresh array."""
        return self.enhancers[self.enhancer_row[pairs]]

    def promoter_bases(self, pairs: np.ndarray) -> np.ndarray:
        """Promoter windows uint8 [B, L_p] of pair indices [B], as a fresh array."""
        return self.promoters[self.promoter_row[pairs]]

    def enhancer_sequence(self, row: int) -> str:
        """The whole upper-case sequence, uncropped, of a row of `enhancers`."""
        return self._sequence("enhancers", row)

    def promoter_sequence(self, row: int) -> str:
        """The whole upper-case sequence, uncropped, of a row of `promoters`."""
        return self._sequence("promoters", row)

    def sequence_lengths(self, side: str) -> np.ndarray:
        """Uncropped lengths int64 [M] in bp of `side`, "enhancers" or "promoters"."""
        return np.diff(_map(self._root / side / "offsets.npy"))

    def pair_names(self, pairs: np.ndarray) -> pd.DataFrame:
        """Region names of pair indices [B]: columns `enhancer`, `promoter`, `cell_line`."""
        names = pd.read_parquet(self._root / "names.parquet").iloc[np.asarray(pairs)].reset_index(drop=True)
        names["cell_line"] = np.asarray(self.cell_lines, dtype=object)[self.cell[pairs]]
        return names

    def _sequence(self, side: str, row: int) -> str:
        offsets = _map(self._root / side / "offsets.npy")
        flat = _map(self._root / side / "bases.npy")
        return decode_bases(flat[offsets[row] : offsets[row + 1]])


def _map(file: Path) -> np.ndarray:
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
