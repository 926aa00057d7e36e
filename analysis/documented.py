"""Results of the seed documents that stand beside every ranking, and what they can be compared with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DocumentedBaseline:
    """One documented result: `aupr` is the mean over the eight unseen cell lines of the documents."""

    name: str
    aupr: float
    source: str


DOCUMENTED: tuple[DocumentedBaseline, ...] = (
    DocumentedBaseline("cross_attention", 0.6846, "record points, cross_attn: mean of 8 unseen cell lines"),
    DocumentedBaseline("rp04", 0.7014, "record points, rp04: mean of 8 unseen cell lines"),
)

CAVEAT = (
    "PRISM's test cell lines at 1:1, on class-balanced resampled batches (each cell line's N is a multiple of 64); "
    "not comparable with other data or the exact protocol"
)
