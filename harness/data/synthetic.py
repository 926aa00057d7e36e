"""The synthetic benchmark: sequences with planted motifs around a known truth."""

import numpy as np
import pandas as pd

from analysis.errors import UserError
from harness.config.blocks.data import SyntheticBlock
from harness.data.bases import decode_bases
from harness.data.folds import default_cell_lines
from harness.data.planted import SIDES, Planted, acts_in, plant, stream
from harness.data.raw import RawDataset

GENERATOR = 3
"""Version of the generator; part of the content hash of a synthetic dataset."""

WORD = 12
"""Length of every planted motif in bp."""
COPIES = ((3, 2), (2, 2), (2, 1), (1, 1))
"""Instances in an element of each motif of U_I that it carries, and of each marker: the first that fit."""
PREFERENCE = 0.3
"""Concentration of the Dirichlet distribution that a fingerprint's preferences are drawn from: mostly one or two bases."""
MUTATION = 0.01
"""Probability that one base of a planted instance is replaced by another."""


def generate(block: SyntheticBlock) -> RawDataset:
    """Sequences, pairs and labels of the synthetic benchmark.

    Loci, an enhancer and a promoter each, lie on the chromosomes; `planted.plant` gives each the motifs that make U_I
    and, per environment dimension, one of two marker motifs. A cell line samples the loci that its environment vector v_c
    favours, so that an unlabelled support set reveals v_c, while U_I is independent of it. A locus has the same DNA in
    every line; labels are drawn per line.

    Faults: `training_shortcut` puts one more motif into enhancers of positives of the default fold's training cell lines,
    and into as many enhancers of other lines whatever their label; `composition_fingerprint` draws bases of those training
    cell lines anew by each line's preferences; `uninformative_environment` samples loci without regard to v_c and gives no
    cell features. Raises UserError when the elements are too short for the motifs.
    """
    copies = _copies(block)
    planted = plant(block)
    words = _words(block)
    enhancers = _elements(block, "enhancer", planted.in_enhancer, planted.marker, words, copies)
    promoters = _elements(block, "promoter", planted.in_promoter, planted.marker, words, copies)
    gaps = np.exp(stream(block, "distances").uniform(np.log(5e3), np.log(1e5), len(planted.chrom))).astype(
        np.int64
    )
    cut = _shortcut_at(block, planted)
    preferences = _preferences(block, planted)
    redrawn = stream(block, "fingerprints")
    rows = []
    for pair, (cell, locus) in enumerate(zip(planted.cell, planted.locus, strict=True)):
        enhancer, promoter = enhancers[locus], promoters[locus]
        if cell in preferences:
            enhancer, promoter = (
                _redrawn(side, preferences[cell], block.composition_fingerprint, redrawn)
                for side in (enhancer, promoter)
            )
        if cut[pair] >= 0:
            enhancer = enhancer.copy()
            enhancer[cut[pair] : cut[pair] + WORD] = words[-1]
        line, chrom = planted.cell_lines[cell], f"chr{planted.chrom[locus] + 1}"
        start = int(planted.position[locus])
        far = start + block.enhancer_bp + int(gaps[locus])
        rows.append(
            (
                f"{line}|{chrom}:{start}-{start + block.enhancer_bp}",
                f"{line}|{chrom}:{far}-{far + block.promoter_bp}",
                line,
                decode_bases(enhancer),
                decode_bases(promoter),
            )
        )
    table = pd.DataFrame(rows, columns=["enhancer", "promoter", "cell_line", "e_seq", "p_seq"])
    pairs = table[["enhancer", "promoter", "cell_line"]].assign(
        label=planted.label, distance=gaps[planted.locus]
    )
    return RawDataset(
        pairs=pairs,
        enhancers=pd.DataFrame({"region": table["enhancer"], "sequence": table["e_seq"]}),
        promoters=pd.DataFrame({"region": table["promoter"], "sequence": table["p_seq"]}),
        cell_features=None if block.uninformative_environment else _cell_features(planted),
    )


def _copies(block: SyntheticBlock) -> tuple[int, int]:
    """Instances of each motif present and of each marker, as many as the shorter element has room for."""
    room = min(block.enhancer_bp, block.promoter_bp) // WORD
    most = max(int(acts_in(side, block.motifs).sum()) for side in SIDES)
    for of_motif, of_marker in COPIES:
        if most * of_motif + block.environment_dim * of_marker <= room:
            return of_motif, of_marker
    side = "enhancer_bp" if block.enhancer_bp <= block.promoter_bp else "promoter_bp"
    raise UserError(
        f"data.synthetic.{side}: {min(block.enhancer_bp, block.promoter_bp)} bp has no room for motifs: "
        f"{block.motifs} and environment_dim: {block.environment_dim}; expected at least "
        f"{(most + block.environment_dim) * WORD}"
    )


def _words(block: SyntheticBlock) -> np.ndarray:
    """Motifs uint8 [J + 2 D + 1, WORD]: of U_I, then two markers per dimension, then the shortcut's.

    Half of the letters are G or C, none repeats three times, and any two motifs differ in at least half of
    their letters.
    """
    rng = stream(block, "motifs")
    words: list[np.ndarray] = []
    while len(words) < block.motifs + 2 * block.environment_dim + 1:
        word = rng.integers(0, 4, WORD).astype(np.uint8)
        balanced = np.isin(word, (1, 2)).sum() == WORD // 2
        repeats = ((word[:-2] == word[1:-1]) & (word[1:-1] == word[2:])).any()
        if balanced and not repeats and all((word != other).sum() >= WORD // 2 for other in words):
            words.append(word)
    return np.stack(words)


def _elements(
    block: SyntheticBlock,
    side: str,
    present: np.ndarray,
    marker: np.ndarray,
    words: np.ndarray,
    copies: tuple[int, int],
) -> np.ndarray:
    """DNA uint8 [P, L] of one side: uniform background with the motifs of each locus in random slots."""
    rng = stream(block, f"{side} sequences")
    count, length = len(present), block.enhancer_bp if side == "enhancer" else block.promoter_bp
    dna = rng.integers(0, 4, (count, length)).astype(np.uint8)
    slots = rng.permuted(np.tile(np.arange(length // WORD), (count, 1)), axis=1) * WORD
    motifs = present.shape[1]
    acting = np.flatnonzero(acts_in(side, motifs))
    planted = [(np.full(count, j), present[:, j]) for j in acting for _ in range(copies[0])]
    for k in range(block.environment_dim):
        chosen = motifs + 2 * k + (marker[:, k] < 0)
        planted += [(chosen, np.ones(count, dtype=bool))] * copies[1]
    for column, (which, here) in enumerate(planted):
        instance = words[which]
        mutate = rng.random(instance.shape) < MUTATION
        instance = np.where(mutate, (instance + rng.integers(1, 4, instance.shape)) % 4, instance)
        at = slots[:, column, None] + np.arange(WORD)
        row = np.arange(count)[:, None]
        dna[row, at] = np.where(here[:, None], instance, dna[row, at])
    return dna


def _shortcut_at(block: SyntheticBlock, planted: Planted) -> np.ndarray:
    """First base of the shortcut motif in each pair's enhancer, int64 [N]; -1 where there is none."""
    rng = stream(block, "training shortcut")
    train = np.isin(planted.cell_lines, default_cell_lines(planted.cell_lines).train)[planted.cell]
    chance = block.training_shortcut * np.where(train, planted.label == 1, planted.label.mean())
    at = rng.integers(0, block.enhancer_bp - WORD + 1, len(planted.label))
    return np.where(rng.random(len(at)) < chance, at, -1)


def _preferences(block: SyntheticBlock, planted: Planted) -> dict[int, np.ndarray]:
    """P(base | the one before) [4, 4] of each training cell line that has a fingerprint."""
    if block.composition_fingerprint == 0.0:
        return {}
    train = default_cell_lines(planted.cell_lines).train
    drawn = stream(block, "composition").dirichlet([PREFERENCE] * 4, (len(planted.cell_lines), 4))
    return {cell: drawn[cell] for cell, line in enumerate(planted.cell_lines) if line in train}


def _redrawn(bases: np.ndarray, preference: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Bases uint8 [L], of which a share is drawn anew given the base before it; the first one never is."""
    at = 1 + np.flatnonzero(rng.random(len(bases) - 1) < share)
    new = bases.copy()
    threshold = preference.cumsum(1)[bases[at - 1], :3]
    new[at] = (rng.random(len(at))[:, None] > threshold).sum(1)
    return new


def _cell_features(planted: Planted) -> pd.DataFrame:
    cells, dimensions = planted.environment.shape
    return pd.DataFrame(
        {
            "cell_line": np.repeat(np.asarray(planted.cell_lines, dtype=object), dimensions),
            "feature": np.tile([f"v{k + 1}" for k in range(dimensions)], cells),
            "value": planted.environment.ravel(),
        }
    )
