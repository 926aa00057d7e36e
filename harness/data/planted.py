"""The planted truth of the synthetic benchmark: loci, environments, energies and labels."""

import zlib
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from harness.config.blocks.data import SyntheticBlock

POOL = 8
"""Candidate loci per pair of one cell line: each line is a biased sample of the same loci."""
TILT = 1.5
"""Log-odds by which one unit of v_ck favours loci that carry the marker of dimension k."""
CONTRAST = 1.0
"""Log-odds by which one unit of v_ck favours loci with more of one motif of pair k than of the other."""
MODULATION = 1.0
"""kappa of the modulated truth: with v_ck in +-1.7 the weight of a motif runs from -0.7 to 2.7 times its mean."""
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
    """Draw loci, cell lines, energies and labels. U = strength * sum_j w_j f_j over standardised motif features f_j
    (|w| = 1) has standard deviation `strength` and mean 0 in every cell line; R depends on v_c:

    linear        l = U - R,            R = v_c1 + sqrt(3) >= 0, U shifted by mean R
    interaction   l = U - R + lam U R,  R as above, lam = 0.5, U shifted so that the mean line is balanced
    gated         l = U sigmoid(3 R),   R = v_c1: wide open in some lines and nearly closed in others
    modulated     l = U - R(x, c),      R(x, c) = -strength sum_j w_j kappa s_j v_c,k(j) f_j: the weight of motif j is
                  w_j (1 + kappa s_j v_c,k(j)), so that some motifs lose or change their effect from line to line

    U is independent of v_c in all of them: a line's own loci differ in markers and in contrasts of motifs only, which
    are uncorrelated with U (see `_active`). Motifs 2k and 2k + 1 make pair k, which belongs to dimension k mod D.
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
    features = _features(in_enhancer, in_promoter)
    chosen = _active(block, chrom, marker, features, environment)
    cell = np.repeat(np.arange(block.cell_lines), [len(c) for c in chosen])
    locus = np.concatenate(chosen)
    features = features[locus]
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
    from scipy.stats import qmc  # not above: whoever reads what is encoded waits half a second for it

    halton = qmc.Halton(d=block.environment_dim, scramble=True, rng=stream(block, "environment"))
    unit = halton.random(block.cell_lines)
    line = np.arange(block.cell_lines)
    first = 1 if stream(block, "first sign").random() < 0.5 else -1
    signed = np.where(line % 2 == 0, first, -first) * (0.3 + 0.7 * unit[line // 2, 0])
    return np.sqrt(3.0) * np.column_stack([signed, 2.0 * unit[:, 1:] - 1.0])


def _active(
    block: SyntheticBlock,
    chrom: np.ndarray,
    marker: np.ndarray,
    features: np.ndarray,
    environment: np.ndarray,
) -> list[np.ndarray]:
    """Loci of each cell line, even over chromosomes, drawn without replacement.

    The weight of a locus is exp(TILT <v_c, marker> / 2 + CONTRAST <v_c, contrast>). The contrast of pair k is
    s_k (w_2k+1 f_2k - w_2k f_2k+1) over its standard deviation: motifs that also make U_I, as a line's own factors
    do, in a combination that leaves U_I where it is.
    """
    rng = stream(block, "active loci")
    informative = 0.0 if block.uninformative_environment else 1.0
    shown = 0.5 * TILT * marker + CONTRAST * _contrasts(block, features)
    share = [len(part) for part in np.array_split(np.arange(block.pairs_per_cell), block.chromosomes)]
    chosen = []
    for v in environment:
        score = informative * shown @ v + rng.gumbel(size=len(chrom))
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


def _weights(block: SyntheticBlock) -> np.ndarray:
    """w [J], the weights of the motifs in U_I, of norm 1; signs by groups of three."""
    size = stream(block, "weights").uniform(0.7, 1.3, block.motifs)
    signed = np.where(np.arange(block.motifs) // len(KINDS) % 2 == 0, size, -size)
    return np.asarray(signed / np.linalg.norm(size))


def _pairs(block: SyntheticBlock) -> tuple[np.ndarray, np.ndarray]:
    """Dimension k(j) and sign s_j of the pair of motif j, [J] each; the sign changes each time all dimensions are used."""
    pair = np.arange(block.motifs) // 2
    return pair % block.environment_dim, np.where(pair // block.environment_dim % 2 == 0, 1.0, -1.0)


def _contrasts(block: SyntheticBlock, features: np.ndarray) -> np.ndarray:
    """Contrast of each dimension's pairs [P, D], unit variance, uncorrelated with U_I; 0 without a whole pair."""
    weight, (axis, sign) = _weights(block), _pairs(block)
    contrast = np.zeros((len(features), block.environment_dim))
    for a in range(0, block.motifs - 1, 2):
        difference = weight[a + 1] * features[:, a] - weight[a] * features[:, a + 1]
        contrast[:, axis[a]] += sign[a] * difference
    spread = contrast.std(axis=0)
    return np.asarray(contrast / np.where(spread > 0, spread, 1.0))


def _energy(
    block: SyntheticBlock, features: np.ndarray, in_promoter: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """U_I, R_E and the logit of every pair, each [N]."""
    weight = _weights(block)
    of_promoter = (2.0 * in_promoter - 1.0) @ weight
    u = block.strength * _with_shortcut(block, features @ weight, of_promoter)
    if block.form == "modulated":
        axis, sign = _pairs(block)
        r = -block.strength * MODULATION * (features * v[:, axis] * sign) @ weight
        return u, r, u - r
    if block.form == "gated":
        return u, v[:, 0], u * expit(GATE * v[:, 0])
    r = v[:, 0] + np.sqrt(3.0)
    middle = float(np.sqrt(3.0))
    if block.form == "linear":
        u = u + middle
        return u, r, u - r
    u = u + middle / (1.0 + LAMBDA * middle)
    return u, r, u - r + LAMBDA * u * r


def _with_shortcut(block: SyntheticBlock, potential: np.ndarray, of_promoter: np.ndarray) -> np.ndarray:
    """(1 - s) potential + s (the promoter's motifs alone), s = promoter_shortcut, variance kept."""
    if block.promoter_shortcut == 0.0:
        return potential
    scale = potential.std()
    mixed = (
        1.0 - block.promoter_shortcut
    ) * potential / scale + block.promoter_shortcut * of_promoter / of_promoter.std()
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
