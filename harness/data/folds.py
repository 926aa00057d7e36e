"""Folds: unseen cell lines and held-out chromosomes, and the splits that follow without leaks."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from analysis.errors import UserError, nearest
from harness.config.blocks.data import DataBlock
from harness.config.blocks.explain import ConfigError
from harness.data.dataset import EncodedDataset
from harness.data.spelling import normal_chromosome

SHORT = 3
"""Characters of a name that is close to others by chance: C9 is no misspelt C5."""


@dataclass(frozen=True)
class Fold:
    """Unseen test and validation cell lines, and the chromosomes held out of training (definitions, Folds).

    Its identity is its content: `name` is what a person calls it, and two folds of one content are one fold.
    """

    name: str
    test: tuple[str, ...]
    val: tuple[str, ...]
    chromosomes: tuple[str, ...]
    settings: str = "{}"
    """What else of the data block decides the splits, as JSON."""

    @property
    def id(self) -> str:
        """`f` and the first 10 hexadecimal digits of the SHA-256 of the content, in which the order of cell lines and
        chromosomes does not matter; what units and their files are keyed by."""
        content = {key: sorted(set(v)) if isinstance(v, list) else v for key, v in self.content().items()}
        del content["name"]
        text = json.dumps(content, sort_keys=True)
        return "f" + hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def label(self) -> str:
        """The name with what it stands for."""
        parts = (("test", self.test), ("validation", self.val), ("held out", self.chromosomes))
        return f"{self.name} ({'; '.join(word + ' ' + ', '.join(names) for word, names in parts)})"

    def content(self) -> dict[str, Any]:
        """The fold as plain data; every field is in."""
        values = {column.name: getattr(self, column.name) for column in fields(self)}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}

    @classmethod
    def stored(cls, content: dict[str, Any]) -> "Fold":
        """A fold from its `content()`."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
        return cls(**values)


class CellLines(NamedTuple):
    """Cell lines by use."""

    train: list[str]
    val: list[str]
    test: list[str]


@dataclass(frozen=True)
class Splits:
    """Pair indices int64, ascending, disjoint.

    train: training cell lines x the other chromosomes; val_seen: training cell lines x held-out chromosomes;
    val_unseen, test: their cell lines x held-out chromosomes; dropped: pairs used nowhere, by reason.
    """

    train: np.ndarray
    val_seen: np.ndarray
    val_unseen: np.ndarray
    test: np.ndarray
    dropped: dict[str, int] = field(default_factory=dict)


def default_cell_lines(names: list[str]) -> CellLines:
    """The last cell lines by name are test, those before them val: about a fifth each, at least one."""
    ordered = sorted(names)
    held = max(1, round(len(ordered) / 5))
    return CellLines(ordered[: -2 * held], ordered[-2 * held : -held], ordered[-held:])


def make_folds(dataset: EncodedDataset, block: DataBlock) -> list[Fold]:
    """The folds that the configuration names or lists, each content once.

    `each cell line`: every one is test once, the next in sorted rotation validation. `one`: test lines are those that the
    source has test pairs of and never trains on (PRISM's layout), validation the last remaining ones by name (about a
    fifth of all); else `default_cell_lines`. Chromosomes, unless named: the source's test and val ones where it splits by
    whole chromosome; else the fewest that hold about a quarter of the pairs.

    Raises
    ------
    UserError
        for fewer than 3 cell lines or 2 chromosomes, an unknown name, a cell line that is both val and test,
        a fold that leaves nothing to train on.
    """
    settings = _settings(block)
    if isinstance(block.folds, list):
        folds: dict[str, Fold] = {}
        for number, configured in enumerate(block.folds):
            held = dict.fromkeys(normal_chromosome(name) or name for name in configured.chromosomes)
            names = (tuple(configured.test), tuple(configured.val), tuple(held))
            fold = Fold(f"fold{number}", *names, settings)
            _check(dataset, fold, f"data.folds[{number}]", f"data.folds.{number}")
            folds.setdefault(fold.id, fold)
        return list(folds.values())
    if len(dataset.cell_lines) < 3:
        raise UserError(
            f"{dataset.origin}: {len(dataset.cell_lines)} cell line(s); expected at least 3, one each to "
            "train on, to select on and to test on"
        )
    if len(dataset.chromosomes) < 2:
        raise UserError(
            f"{dataset.origin}: all pairs lie on {dataset.chromosomes[0]}; expected at least 2 chromosomes, "
            "so that one can be held out of training"
        )
    held_out = tuple(dict.fromkeys(normal_chromosome(name) or name for name in block.chromosomes or ()))
    chromosomes = held_out or tuple(_default_chromosomes(dataset))
    if block.folds == "each cell line":
        ordered = sorted(dataset.cell_lines)
        made = [
            Fold(test, (test,), (val,), chromosomes, settings)
            for test, val in zip(ordered, [*ordered[1:], ordered[0]], strict=True)
        ]
    else:
        lines = _default_lines(dataset)
        made = [Fold("fold0", tuple(lines.test), tuple(lines.val), chromosomes, settings)]
    if held_out:
        _check(dataset, made[0], "data", "data")
    return made


def _settings(block: DataBlock) -> str:
    """What of the data block is neither the source, which the content hash of the data stands for, nor the folds
    themselves: a key that is added to the block is part of every fold's identity by default."""
    rest = {
        key: v
        for key, v in block.identity().items()
        if key not in ("root", "synthetic", "folds", "chromosomes")
    }
    return json.dumps(rest, sort_keys=True)


def split(dataset: EncodedDataset, fold: Fold) -> Splits:
    """Divide the pairs by `fold`; no region of an evaluation split overlaps, by interval, one of train, and none has
    the same DNA, as a whole or in the window that a model reads.

    A pair belongs to the held-out side when both elements lie on held-out chromosomes, to the training side
    when neither does.

    Raises
    ------
    UserError
        for an unknown name, an empty split, and a cell line with one class only in train, val_unseen or test.
    """
    _check(dataset, fold, f"fold {fold.name}", "data.folds")
    held = np.isin(dataset.chromosomes, fold.chromosomes)
    enhancer_held, promoter_held = held[dataset.chrom], held[dataset.promoter_chrom]
    evaluated, trained = enhancer_held & promoter_held, ~enhancer_held & ~promoter_held
    is_test = np.isin(dataset.cell_lines, fold.test)[dataset.cell]
    is_val = np.isin(dataset.cell_lines, fold.val)[dataset.cell]
    seen = ~is_test & ~is_val
    overlap = overlapping(dataset, seen & trained, evaluated)
    left = seen & trained & ~overlap
    same = sharing(dataset.enhancer_content, dataset.promoter_content, left, evaluated)
    left &= ~same
    window = sharing(dataset.enhancer_window, dataset.promoter_window, left, evaluated)
    parts = {
        "train": left & ~window,
        "val_seen": seen & evaluated,
        "val_unseen": is_val & evaluated,
        "test": is_test & evaluated,
    }
    removed = int((overlap | same | window).sum())
    for name, mask in parts.items():
        _check_part(dataset, fold, name, mask, removed if name == "train" else 0)
    dropped = {
        "unseen cell line on training chromosomes": int((~seen & trained).sum()),
        "elements on a held-out and on a training chromosome": int((enhancer_held ^ promoter_held).sum()),
        "overlaps a region of an evaluation split": int(overlap.sum()),
        "has a sequence of an evaluation split under another name": int(same.sum()),
        "has a window of an evaluation split, cut from another sequence": int(window.sum()),
    }
    return Splits(**{name: np.flatnonzero(mask) for name, mask in parts.items()}, dropped=dropped)


def overlapping(dataset: EncodedDataset, candidates: np.ndarray, against: np.ndarray) -> np.ndarray:
    """Which of `candidates` (bool [N]) have an enhancer or promoter that overlaps one of `against` (bool
    [N]).

    Intervals are half-open; touching ones do not overlap. Returns bool [N], False outside `candidates`.
    """
    sides = (
        (dataset.chrom, dataset.enhancer_start, dataset.enhancer_end),
        (dataset.promoter_chrom, dataset.promoter_start, dataset.promoter_end),
    )
    overlaps = np.zeros(len(dataset), dtype=bool)
    for code in range(len(dataset.chromosomes)):
        picked = [(start[m], end[m]) for chrom, start, end in sides for m in [against & (chrom == code)]]
        starts, ends = (np.concatenate(parts) for parts in zip(*picked, strict=True))
        if not len(starts):
            continue
        order = np.argsort(starts, kind="stable")
        starts, reach = starts[order], np.maximum.accumulate(ends[order])
        for chrom, start, end in sides:
            mine = np.flatnonzero(candidates & (chrom == code))
            before = np.searchsorted(starts, end[mine], side="left")
            hit = (before > 0) & (reach[np.maximum(before - 1, 0)] > start[mine])
            overlaps[mine[hit]] = True
    return overlaps


def sharing(
    enhancer: np.ndarray, promoter: np.ndarray, candidates: np.ndarray, against: np.ndarray
) -> np.ndarray:
    """Which of `candidates` (bool [N]) have an enhancer or promoter with the DNA of an enhancer or promoter of `against`
    (bool [N]), whatever their names say; `enhancer` and `promoter` int [N] number the DNA of whole sequences or of
    windows, on either strand.

    Returns bool [N], False outside `candidates`.
    """
    sides = np.stack([enhancer, promoter])
    return candidates & np.isin(sides, sides[:, against]).any(0)


def _default_lines(dataset: EncodedDataset) -> CellLines:
    split_of = {name: code for code, name in enumerate(dataset.split_names)}
    trained = set(np.unique(dataset.cell[dataset.given_split == split_of["train"]]))
    tested = set(np.unique(dataset.cell[dataset.given_split == split_of["test"]]))
    test = [dataset.cell_lines[code] for code in sorted(tested - trained)]
    rest = [name for name in dataset.cell_lines if name not in test]
    if not test or len(rest) < 2:
        return default_cell_lines(dataset.cell_lines)
    held = min(max(1, round(len(dataset.cell_lines) / 5)), len(rest) - 1)
    return CellLines(rest[:-held], rest[-held:], test)


def _default_chromosomes(dataset: EncodedDataset) -> list[str]:
    """The source's own val and test chromosomes if it splits by chromosome, else a quarter of the pairs."""
    codes = range(len(dataset.chromosomes))
    splits_on = [set(np.unique(dataset.given_split[dataset.chrom == code])) - {-1} for code in codes]
    train = dataset.split_names.index("train")
    if all(len(splits) <= 1 for splits in splits_on) and {train} < set.union(*splits_on):
        return [dataset.chromosomes[code] for code in codes if splits_on[code] - {train}]
    count = np.bincount(dataset.chrom, minlength=len(dataset.chromosomes))
    # Contradictory pairs that were dropped still count, so that they do not move the choice.
    count += np.asarray(
        [dataset.contradictory.get(name, 0) for name in dataset.chromosomes], dtype=count.dtype
    )
    return [dataset.chromosomes[code] for code in quarter_of(count, codes)]


def quarter_of(count: np.ndarray, codes: Iterable[int]) -> list[int]:
    """Of the chromosomes `codes` the fewest that hold about a quarter of all pairs; count [chromosomes]. The smallest one
    where any holds too much."""
    offered, held = sorted(codes, key=lambda code: (-count[code], code)), list[int]()
    for code in offered:
        before, after = count[held].sum(), count[[*held, code]].sum()
        if abs(after - count.sum() / 4) < abs(before - count.sum() / 4):
            held.append(code)
    return sorted(held or [min(offered, key=lambda code: (count[code], code))])


def _check(dataset: EncodedDataset, fold: Fold, where: str, path: str) -> None:
    """ConfigError at `path`, which is called `where`, for a fold that the dataset has not."""
    for key, names, valid in (
        ("test", fold.test, dataset.cell_lines),
        ("val", fold.val, dataset.cell_lines),
        ("chromosomes", fold.chromosomes, dataset.chromosomes),
    ):
        what = "chromosome" if key == "chromosomes" else "cell line"
        if not names:
            raise ConfigError(
                f"{path}.{key}", f"{where}.{key} is empty; expected at least one {what} of {', '.join(valid)}"
            )
        for name in names:
            if name not in valid:
                hint = nearest(name, valid) if len(name) > SHORT else ""
                raise ConfigError(
                    f"{path}.{key}",
                    f"{where}.{key}: no {what} '{name}' in {dataset.origin}{hint} (there: {', '.join(valid)})",
                )
    both = sorted(set(fold.test) & set(fold.val))
    if both:
        raise ConfigError(
            path, f"{where}: cell line {both[0]} is in test and in val; expected each in one of them"
        )
    if set(fold.test) | set(fold.val) >= set(dataset.cell_lines):
        raise ConfigError(
            path, f"{where}: test and val take all cell lines; expected at least one left to train on"
        )
    if set(fold.chromosomes) >= set(dataset.chromosomes):
        raise ConfigError(
            f"{path}.chromosomes",
            f"{where}.chromosomes takes all chromosomes; expected at least one left to train on",
        )


def _check_part(dataset: EncodedDataset, fold: Fold, name: str, mask: np.ndarray, removed: int) -> None:
    side = "other chromosomes" if name == "train" else ", ".join(fold.chromosomes)
    if removed:
        side += f" beside {removed} that overlap or repeat what is evaluated"
    if not mask.any():
        raise UserError(f"fold {fold.name}: split {name} is empty: its cell lines have no pairs on {side}")
    if name == "val_seen":
        return
    for code in np.unique(dataset.cell[mask]):
        label = dataset.label[mask & (dataset.cell == code)]
        if label.min() == label.max():
            raise UserError(
                f"fold {fold.name}: all {len(label)} pairs of cell line {dataset.cell_lines[code]} in split "
                f"{name} ({side}) have label {label[0]}; expected both 0 and 1"
            )
