"""Sequences of regions from a FASTA file, and whether the coordinates can be of that assembly."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.errors import UserError, nearest
from harness.data.fasta import Fasta
from harness.data.region import parse_regions
from harness.data.spelling import chromosome_word, normal_chromosome
from harness.data.table import PairTable

SIDES = ("enhancer", "promoter")


class RegionSequences(NamedTuple):
    """One row per region (`region`, `sequence`) of both sides, and what is to be said of them."""

    enhancers: PairTable
    promoters: PairTable
    notes: list[str]


def sequences_of(pairs: PairTable, fasta: Fasta) -> RegionSequences:
    """The DNA of the plus strand at the regions of checked pairs, either case; strands are not looked at, as in the
    other layouts.

    Raises
    ------
    UserError
        for a chromosome that the FASTA does not have, and for regions that end beyond theirs (with their number and the
        first row): coordinates of another assembly, lifted over or mixed.
    """
    contig_of = _contigs(fasta)
    parsed = {side: parse_regions(pairs.frame[side]) for side in SIDES}
    _refuse_unknown(pairs, parsed, contig_of, fasta)
    _refuse_beyond(pairs, parsed, contig_of, fasta)
    tables, unknown = [], 0
    for side in SIDES:
        regions = parsed[side].assign(region=pairs.frame[side].to_numpy()).drop_duplicates("region")
        sequences = [
            fasta.fetch(contig_of[chrom], start, end)
            for chrom, start, end in regions[["chrom", "start", "end"]].itertuples(index=False)
        ]
        unknown += sum(not sequence.strip("Nn") for sequence in sequences)
        frame = pd.DataFrame({"region": regions["region"].to_numpy(), "sequence": sequences})
        tables.append(PairTable(frame, fasta.file, f"{side} region", 1))
    notes = _names_note(pd.concat([parsed[side]["chrom"] for side in SIDES]).unique(), contig_of)
    if unknown:
        notes.append(
            f"regions of which {fasta.file.name} knows no base (N alone): {unknown}; coordinates of another assembly "
            "may lie in gaps of this one"
        )
    return RegionSequences(tables[0], tables[1], notes)


def _contigs(fasta: Fasta) -> dict[str, str]:
    """Chromosome in its normal spelling -> contig of the file."""
    names: dict[str, str] = {}
    for name in fasta.contigs:
        other = names.setdefault(normal_chromosome(name), name)
        if other != name:
            raise UserError(
                f"{fasta.file}: contigs {other} and {name} are one chromosome in two spellings; expected each once"
            )
    return names


def _refuse_unknown(
    pairs: PairTable, parsed: dict[str, pd.DataFrame], contig_of: dict[str, str], fasta: Fasta
) -> None:
    lacking = {side: ~parsed[side]["chrom"].isin(list(contig_of)).to_numpy() for side in SIDES}
    either = lacking["enhancer"] | lacking["promoter"]
    if not either.any():
        return
    row = int(np.argmax(either))
    side = SIDES[0] if lacking[SIDES[0]][row] else SIDES[1]
    name = str(parsed[side]["chrom"].iloc[row])
    alike = [contig for contig in fasta.contigs if chromosome_word(contig) == chromosome_word(name) != contig]
    hint = f"; it has {alike[0]}, which may be the same under another name" if alike else ""
    raise UserError(
        f"{pairs.at(row)}: {fasta.file} has no chromosome {name}{hint or nearest(name, contig_of)} ({int(either.sum())} of "
        f"{len(either)} pairs lie on one that it lacks; there: {_few(list(fasta.contigs))})"
    )


def _refuse_beyond(
    pairs: PairTable, parsed: dict[str, pd.DataFrame], contig_of: dict[str, str], fasta: Fasta
) -> None:
    length = {name: fasta.contigs[contig].length for name, contig in contig_of.items()}
    beyond = {
        side: (parsed[side]["end"] > parsed[side]["chrom"].map(length)).to_numpy(bool) for side in SIDES
    }
    rows = beyond["enhancer"] | beyond["promoter"]
    if not rows.any():
        return
    row = int(np.argmax(rows))
    side = SIDES[0] if beyond[SIDES[0]][row] else SIDES[1]
    region = parsed[side].iloc[row]
    raise UserError(
        f"{pairs.at(row)}: {side} {pairs.frame[side].iloc[row]} ends beyond {region['chrom']} of {fasta.file} "
        f"({length[region['chrom']]} bp), as do regions of {int(rows.sum())} of {len(rows)} pairs: these coordinates are "
        "of another assembly, lifted over or mixed; expected coordinates of the assembly of the FASTA"
    )


def _names_note(used: Sequence[str], contig_of: dict[str, str]) -> list[str]:
    differing = [f"{name} is {contig_of[name]} there" for name in used if contig_of[name] != name]
    if not differing:
        return []
    return [f"chromosomes that the FASTA calls otherwise: {len(differing)} ({_few(differing)})"]


def _few(names: Sequence[str], shown: int = 6) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
