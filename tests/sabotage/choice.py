"""A choice of broken trials that has every mechanism and every kind at least once, for the tests of every change."""

from harness.mechanisms.catalogue import catalogue
from tests.sabotage.catalogue import ways
from tests.sabotage.way import Way

ROWS = {row.key: row for row in catalogue()}
SINGLE: dict[str, str] = {
    "stem": "ones",
    "self_attention": "the mean of its input",
    "cbat": "its output is detached",
    "anchors": "ones",
    "fourier_kan": "its output is detached",
    "cnn": "zeros in place of its input",
    "cross_attention": "the promoter for the enhancer",
    "share_sides": "trainers are built without it",
    "share_strands": "no trainer follows it",
    "bottleneck": "trainers are built without it",
    "linear": "U_I / T",
    "interaction": "lam is its default",
    "gated": "U_I / T without gradients",
    "boosted_gate": "-R_E",
    "threshold_gate": "R_E = 0",
    "blocking": "R_E without gradient",
    "binding": "the logit is 1",
    "fixed": "value is its default",
    "learned": "learning rate 0 of its parameters",
    "per_cell": "zeros in place of its input",
    "calibrated": "no T is fitted",
    "scope_cell": "its output is detached",
    "scope_sample": "zeros in place of its input",
    "id": "ones",
    "features": "zeros in place of its input",
    "reconstruction": "its value is detached",
    "support": "zeros in place of its input",
    "mean": "its output is detached",
    "moments": "ones from the second epoch on",
    "attention": "another episode's or pair's input",
    "isab": "ones",
    "gradient": "the mean of its input",
    "ema": "its memory stays as it was",
    "gcn": "the mean of its input",
    "random_walk": "its output is detached",
    "graph_map": "zeros in place of its input",
    "fusion": "no Teacher without gradients",
    "fusion_ema": "no trainer follows it",
    "opportunist": "zeros in place of its input",
    "gp_posterior": "not without gradients",
    "pseudo_unseen": "no trainer follows it",
    "immax": "another tensor in place of logit",
    "bce": "zeros in place of logit",
    "dual_stream": "its output is detached",
    "contrastive_relations": "trainers are built without it",
    "cell_batch": "half a support set of another cell line",
    "meta_batch": "CellBatch draws the episodes",
    "random": "a query pair in the support set",
    "isolated": "no trainer follows it",
    "shared": "no trainer follows it",
    "fixed_weights": "no trainer follows it",
    "ramp": "not followed from the second epoch on",
    "grad_norm": "no trainer follows it",
    "pcgrad": "no trainer follows it",
    "curriculum_ramp": "no trainer follows it",
    "curriculum": "the trial's own trainer does not follow it",
}
"""Key of a mechanism -> the way in which it is broken in a trial of its own, which has to be stopped."""
TOGETHER: tuple[dict[str, str], ...] = (
    {
        "ranking_pairwise": "its value is detached",
        "speculation": "0.37 in its place",
        "orthogonal": "its gradient is turned round",
        "contrastive": "its value is detached",
        "prototypes_hinged": "its value is 0.5",
        "sparsity_z_i": "its gradient is turned round",
        "sparsity_r": "0.37 in its place",
        "calibration": "no schedule has it in force",
        "grl": "its gradient is turned round",
        "vib": "its value is detached",
        "temperature": "zeros in place of temperature",
    },
    {
        "ranking_smooth_ap": "its gradient is turned round",
        "pearson": "0.37 in its place",
        "club": "its value is detached",
        "hsic": "no schedule has it in force",
        "infonce": "its gradient is turned round",
        "irm": "its value is 0.5",
        "prototypes_pull": "zeros in place of z_e",
        "sparsity_z_e": "its gradient is turned round",
        "sparsity_groups": "it may move every group",
        "gp_prior": "0.37 in its place",
        "conditional_grl": "no schedule has it in force",
    },
    {
        "prototypes_contrastive": "its value is detached",
        "distillation": "its value is detached",
        "competition": "its value is 0.5",
    },
)
"""Terms that are broken in one trial, each in its own way: each has to be accused."""


def way(key: str, text: str) -> Way:
    """The way of a mechanism that this text is of."""
    (chosen,) = (way for way in ways(ROWS[key]) if way.text == text)
    return chosen
