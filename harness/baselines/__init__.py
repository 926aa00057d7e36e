"""Baselines without interaction, on the same folds as the trials; importing the package registers them all."""

from harness.baselines.distance import Distance
from harness.baselines.kmer_boosting import PairKmerBoosting, PromoterKmerBoosting
from harness.baselines.kmer_logistic import PairKmerLogistic, PromoterKmerLogistic
from harness.baselines.locus_lookup import LocusLookup
from harness.baselines.write import write_baselines

__all__ = [
    "Distance",
    "LocusLookup",
    "PairKmerBoosting",
    "PairKmerLogistic",
    "PromoterKmerBoosting",
    "PromoterKmerLogistic",
    "write_baselines",
]
