"""The planted truth of the synthetic benchmark: loci, environments, energies and labels."""

import zlib
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import qmc

from harness.config.data import SyntheticBlock
from harness.errors import UserError

POOL = 8
"""Candidate loci per pair of one cell line: each line is a biased sample of the same loci."""
TILT = 1.5
"""Log-odds by which one unit of v_ck favours loci that carry the marker of dimension k."""
GATE = 3.0
"""w of the gated truth: with R_E in +-1.7 the gate runs from 0.006 to 0.994."""
LAMBDA = 0.5
"""lam of the interaction truth."""
SIDES = ("enhancer", "promoter")
KINDS = ("pair", "enhancer", "promoter")
"""Motif j acts by being in both elements, in the enhancer, or in the promoter: KINDS[j % 3]."""


@dataclass(frozen=True)
class Planted:
    """Everything about a synthetic dataset except its letters; N pairs over P loci, J motifs, D environment
    dimensions.

    cell_lines [C] names; environment [C, D]: v_c, every dimension spread over +-sqrt(3); cell [N]; locus [N].
    Per locus: chrom [P], position [P] (bp), in_enhancer, in_promoter bool [P, J], marker [P, D] (+1 or -1:
    which of the two marker motifs of a dimension both elements carry).
    Per pair: features [N, J] (standardised motif presence), u [N] planted U_I in logits, r [N] planted R_E
    (one value per cell line, or per pair for `modulated`), logit [N] planted energy, label int8 [N] drawn
    from its sigmoid.
    """

    cell_lines: list[str]
    environment: np.ndarray
    cell: np.ndarray
    locus: np.ndarray
    chrom: np.ndarray
    position: np.ndarray
    in_enhancer: np.ndarray
    in_promoter: np.ndarray
    marker: np.ndarray
    features: np.ndarray
    u: np.ndarray
    r: np.ndarray
    logit: np.ndarray
    label: np.ndarray


def acts_in(side: str, motifs: int) -> np.ndarray:
    """Which motifs act in "enhancer" or "promoter" (pair motifs in both), bool [J]."""
    kind = np.asarray(KINDS)[np.arange(motifs) % len(KINDS)]
    return (kind == side) | (kind == "pair")


def stream(block: SyntheticBlock, name: str) -> np.random.Generator:
    """A random stream of its own per purpose, so that one option does not reshuffle the rest."""
    return np.random.default_rng(np.random.SeedSequence(block.seed, spawn_key=(zlib.crc32(name.encode()),)))


def plant(block: SyntheticBlock) -> Planted:
    """Draw loci, cell lines, energies and labels.

    U = strength * sum_j w_j f_j over standardised motif features f_j (|w| = 1), so that U has standard
    deviation `strength` and mean 0 in every cell line; R depends on the environment (v_c1 is its first dimension):

    linear        l = U - R,           R = v_c1 + sqrt(3) >= 0, U shifted by mean R
    interaction   l = U - R + lam U R, R as above, lam = 0.5, U shifted so that the mean line is balanced
    gated         l = U sigmoid(3 R),  R = v_c1: wide open in some lines, nearly closed in others, prevalence
    near 1/2 modulated     l = U - R(x, c),     U the even motifs, R(x, c) = -strength sum_{odd j} w_j
    v_c,k(j) f_j: the weight
                  of every odd motif varies between cell lines with mean 0 and variance 1, and changes its
                  sign

    Raises UserError for `modulated` with a single motif.
    """
    rng = stream(block, "loci")
    count = POOL * block.pairs_per_cell
    spacing = 4 * (block.enhancer_bp + block.promoter_bp) + 200_000
    chrom = np.arange(count) % block.chromosomes
    position = 1_000_000 + np.arange(count) // block.chromosomes * spacing + rng.integers(0, 10_000, count)
    in_enhancer = rng.random((count, block.motifs)) < 0.5
    in_promoter = rng.random((count, block.motifs)) < 0.5
    marker = np.where(rng.random((count, block.environment_dim)) < 0.5, 1, -1)
    environment = _environments(block)
    chosen = _active(block, chrom, marker, environment)
    cell = np.repeat(np.arange(block.cell_lines), [len(c) for c in chosen])
    locus = np.concatenate(chosen)
    features = _features(in_enhancer, in_promoter)[locus]
    u, r, logit = _energy(block, features, in_promoter[locus], environment[cell])
    digits = len(str(block.cell_lines))
    return Planted(
        cell_lines=[f"C{i + 1:0{digits}d}" for i in range(block.cell_lines)],
        environment=environment,
        cell=cell,
        locus=locus,
        chrom=chrom,
        position=position,
        in_enhancer=in_enhancer,
        in_promoter=in_promoter,
        marker=marker,
        features=features,
        u=u,
        r=r,
        logit=logit,
        label=_labels(block, logit, cell * block.chromosomes + chrom[locus]),
    )


def _environments(block: SyntheticBlock) -> np.ndarray:
    """v_c [C, D] within +-sqrt(3).

    The first dimension, from which R_E is made, changes its sign from line to line (each pair of lines mirrored, with
    magnitudes spread over 0.3 to 1 times sqrt(3)), so that any two neighbouring lines have one gate open and one
    closed. The others are a Halton sequence.
    """
    halton = qmc.Halton(d=block.environment_dim, scramble=True, rng=stream(block, "environment"))
    unit = halton.random(block.cell_lines)
    line = np.arange(block.cell_lines)
    first = 1 if stream(block, "first sign").random() < 0.5 else -1
    signed = np.where(line % 2 == 0, first, -first) * (0.3 + 0.7 * unit[line // 2, 0])
    return np.sqrt(3.0) * np.column_stack([signed, 2.0 * unit[:, 1:] - 1.0])


def _active(
    block: SyntheticBlock, chrom: np.ndarray, marker: np.ndarray, environment: np.ndarray
) -> list[np.ndarray]:
    """Loci of each cell line, even over chromosomes, drawn without replacement.

    The weight of a locus is exp(TILT <v_c, marker> / 2).
    """
    rng = stream(block, "active loci")
    tilt = 0.0 if block.uninformative_environment else TILT
    share = [len(part) for part in np.array_split(np.arange(block.pairs_per_cell), block.chromosomes)]
    chosen = []
    for v in environment:
        score = 0.5 * tilt * marker @ v + rng.gumbel(size=len(chrom))
        picks = []
        for code, count in enumerate(share):
            here = np.flatnonzero(chrom == code)
            picks.append(here[np.argsort(-score[here])[:count]])
        chosen.append(np.sort(np.concatenate(picks)))
    return chosen


def _features(in_enhancer: np.ndarray, in_promoter: np.ndarray) -> np.ndarray:
    """Presence of each motif where it acts, [P, J] with mean 0 and variance 1 (presence has p = 1/2)."""
    kind = np.arange(in_enhancer.shape[1]) % len(KINDS)
    pair = ((in_enhancer & in_promoter) - 0.25) / np.sqrt(0.25 * 0.75)
    return np.where(kind == 0, pair, np.where(kind == 1, 2.0 * in_enhancer - 1.0, 2.0 * in_promoter - 1.0))


def _energy(
    block: SyntheticBlock, features: np.ndarray, in_promoter: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """U_I, R_E and the logit of every pair, each [N]."""
    motif = np.arange(block.motifs)
    size = stream(block, "weights").uniform(0.7, 1.3, block.motifs)
    weight = np.where(motif // len(KINDS) % 2 == 0, size, -size) / np.linalg.norm(size)
    own = (2.0 * in_promoter - 1.0) @ weight
    if block.form == "modulated":
        if block.motifs < 2:
            raise UserError(
                "data.synthetic.motifs: 1 leaves no motif to modulate; form: modulated needs at least 2"
            )
        odd = motif % 2 == 1
        axis = motif // 2 % block.environment_dim
        u = block.strength * _with_shortcut(block, features[:, ~odd] @ weight[~odd], own)
        r = -block.strength * (features[:, odd] * v[:, axis[odd]]) @ weight[odd]
        return u, r, u - r
    u = block.strength * _with_shortcut(block, features @ weight, own)
    if block.form == "gated":
        return u, v[:, 0], u * expit(GATE * v[:, 0])
    r = v[:, 0] + np.sqrt(3.0)
    middle = float(np.sqrt(3.0))
    if block.form == "linear":
        u = u + middle
        return u, r, u - r
    u = u + middle / (1.0 + LAMBDA * middle)
    return u, r, u - r + LAMBDA * u * r


def _with_shortcut(block: SyntheticBlock, potential: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(1 - s) potential + s (the promoter's motifs alone), s = promoter_shortcut, variance kept."""
    if block.promoter_shortcut == 0.0:
        return potential
    scale = potential.std()
    mixed = (1.0 - block.promoter_shortcut) * potential / scale + block.promoter_shortcut * own / own.std()
    return mixed * (scale / mixed.std())


def _labels(block: SyntheticBlock, logit: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Labels int8 [N] with P(1) = sigmoid(logit), then flipped with probability `label_noise`.

    The uniform variates of a group (cell line and chromosome) are a shuffled stratified grid: each is uniform
    on its own, and the share of positives varies less than with independent draws, so that small cell lines
    keep both classes.
    """
    rng = stream(block, "labels")
    uniform = np.empty(len(logit))
    for code in np.unique(group):
        here = np.flatnonzero(group == code)
        uniform[here] = (rng.permutation(len(here)) + rng.random(len(here))) / len(here)
    label = uniform < expit(logit)
    flip = stream(block, "label noise").random(len(logit)) < block.label_noise
    return (label ^ flip).astype(np.int8)
