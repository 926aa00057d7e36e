"""The definitions of the mechanisms, typed by hand from the documents and from nothing in the code.

Groups: S sequence side, E environment (Student), T environment (Teacher, prototype graph), G temperature, lam and w, A the
term's own critic, adversary or Opportunists. Where the documents say E for the whole environment side, it is ET here.
"""

from dataclasses import dataclass

Objective = tuple[str, str, str]
"""Groups, what is moved there, and up or down."""


@dataclass(frozen=True)
class Definition:
    """may: groups that the definitions allow; reach: those that it moves under isolated routing; light: those that a
    setting adds. moves: what of a step its gradient moves; reads: everything of a step that it looks at; phase1: it trains
    while the environment side rests. Names are in one string, apart by spaces."""

    may: str
    reach: str
    moves: str
    reads: str
    objectives: frozenset[Objective]
    light: str = ""
    phase1: bool = False


def down(groups: str, scalar: str) -> Objective:
    return groups, scalar, "down"


def up(groups: str, scalar: str) -> Objective:
    return groups, scalar, "up"


def side(may: str, reach: str, moves: str, reads: str, scalar: str, *, phase1: bool = False) -> Definition:
    """A term of one part that lowers one scalar over all that it reaches."""
    return Definition(may, reach, moves, reads, frozenset({down(reach, scalar)}), phase1=phase1)


def decoupler(scalar: str = "dependence", own: Objective | None = None) -> Definition:
    """Orthogonal, pearson, infonce, club, hsic: the environment side yields, the sequence side only where asked to."""
    objectives = {down("SET", scalar)} | ({own} if own is not None else set())
    reach = "ET" + ("A" if own is not None else "")
    return Definition("ETA", reach, "z_i z_e", "z_i z_e", frozenset(objectives), light="S")


def adversary(reads: str) -> Definition:
    """The classifier lowers what z_I raises."""
    objectives = frozenset({down("A", "cross entropy"), up("S", "cross entropy")})
    return Definition("SA", "SA", "z_i", reads, objectives)


TASK = side("SETG", "SETG", "logit", "logit label", "task loss", phase1=True)
RANKING = "misordered pairs"
PROTOTYPES = side("ET", "ET", "z_e", "z_e cell index", "distance from the prototypes")

DEFINITIONS: dict[str, Definition] = {
    "immax": TASK,
    "bce": TASK,
    "ranking_pairwise": side(
        "SETG", "SETG", "logit", "logit label query_cell seed index", RANKING, phase1=True
    ),
    "ranking_smooth_ap": side("SETG", "SETG", "logit", "logit label query_cell", RANKING, phase1=True),
    "speculation": side("SETG", "SETG", "logit", "logit label", "penalty on speculation", phase1=True),
    "distillation": side(
        "E", "E", "r_student", "r_student r_teacher taught", "squared distance of R_S from R_T"
    ),
    "competition": Definition(
        may="ETA",
        reach="ETA",
        moves="r_heard z_e",
        reads="shallow energy_of r_heard r_teacher pseudo_unseen z_e cell label logit",
        objectives=frozenset(
            {down("ET", "L_S"), down("ET", "a^2"), down("A", "(1 - s) L_O + s CE(P_O, P_0)")}
        ),
    ),
    "orthogonal": decoupler(),
    "pearson": decoupler(),
    "hsic": decoupler(),
    "infonce": decoupler("estimate", up("A", "estimate")),
    "club": decoupler("bound", down("A", "negative log-likelihood of z_E")),
    "grl": adversary("z_i query_cell"),
    "conditional_grl": adversary("z_i label query_cell"),
    "irm": side("SA", "S", "logit", "logit label query_cell", "penalty on the risks' slopes"),
    "vib": side("SA", "S", "kl", "kl", "price in nats", phase1=True),
    "contrastive": side("ET", "ET", "z_e", "z_e cell index", "contrast"),
    "prototypes_pull": PROTOTYPES,
    "prototypes_hinged": PROTOTYPES,
    "prototypes_contrastive": PROTOTYPES,
    "gp_prior": side("ET", "ET", "log_prior", "log_prior", "negative log density of raw R_E"),
    "reconstruction": side("ET", "ET", "v_decoded", "v v_decoded", "squared error of v_c"),
    "sparsity_z_i": side("S", "S", "z_i", "z_i", "mean |z_I|", phase1=True),
    "sparsity_groups": side(
        "S", "S", "channel_norm", "channel_norm channel_size", "norms of output channels", phase1=True
    ),
    "calibration": side("S", "S", "u", "u", "excess of mean and variance of U_I", phase1=True),
    "sparsity_z_e": side("ET", "ET", "z_e", "z_e", "mean |z_E|"),
    "sparsity_r": side("ET", "ET", "r", "r", "mean |R_E|"),
    "temperature": Definition(
        may="GET",
        reach="G",
        moves="temperature",
        reads="temperature",
        objectives=frozenset({down("GE", "(T - 1)^2")}),
        light="E",
    ),
}
"""Key of a registered loss term -> what the documents say of it."""


@dataclass(frozen=True)
class Place:
    """Where a mechanism that is no loss term acts (T: on gradients in training, K: on predictions of trained cell lines,
    U: on those of unseen ones), and what it reads, apart by spaces."""

    acts: str
    reads: str = ""


SIDES = Place("TKU", "enhancer promoter")
FORM = Place("TKU", "u r temperature")
SET = Place("TKU", "support")
FUSION = Place("TK", "cell_line")
BALANCE = Place("T", "gradients")

PLACES: dict[str, Place] = {
    "stem": SIDES,
    "self_attention": SIDES,
    "cbat": SIDES,
    "anchors": SIDES,
    "cnn": SIDES,
    "cross_attention": SIDES,
    "share_sides": SIDES,
    "share_strands": SIDES,
    "bottleneck": SIDES,
    "fourier_kan": Place("TKU", "z_i"),
    "dual_stream": Place("TKU", "z_i"),
    "linear": FORM,
    "interaction": FORM,
    "gated": FORM,
    "boosted_gate": FORM,
    "threshold_gate": FORM,
    "blocking": FORM,
    "binding": FORM,
    "fixed": Place("TKU"),
    "learned": Place("TKU"),
    "per_cell": Place("TKU", "z_e"),
    "calibrated": Place("KU", "labels"),
    "scope_cell": Place("TKU", "z_e"),
    "scope_sample": Place("TKU", "z_e z_i"),
    "id": Place("TK", "cell_line"),
    "features": Place("TKU", "v"),
    "support": Place("TKU", "support z_i u labels"),
    "mean": SET,
    "moments": SET,
    "attention": SET,
    "isab": SET,
    "gradient": Place("TK", "cell_line"),
    "ema": Place("TK", "support"),
    "gcn": Place("TKU"),
    "random_walk": Place("TKU"),
    "graph_map": Place("TKU", "z_e"),
    "fusion": FUSION,
    "fusion_ema": FUSION,
    "opportunist": Place("T", "shallow"),
    "gp_posterior": Place("U", "place"),
    "pseudo_unseen": Place("T", "cell_line"),
    "contrastive_relations": Place("T", "cell_line"),
    "cell_batch": Place("T", "cell_line"),
    "meta_batch": Place("T", "cell_line"),
    "random": Place("T"),
    "isolated": BALANCE,
    "shared": BALANCE,
    "fixed_weights": BALANCE,
    "ramp": BALANCE,
    "grad_norm": BALANCE,
    "pcgrad": BALANCE,
    "curriculum_ramp": Place("T", "epoch"),
    "curriculum": Place("T", "epoch"),
}
"""Key of a mechanism that is no loss term -> what the documents say of it."""
