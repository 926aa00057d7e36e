"""Rows of the catalogue that are no registry choice: parts of the sequence side, scopes, samplers, schedules."""

from typing import Any

from harness.mechanisms.mechanism import GIVEN, POSITIVE, Mechanism, Setting
from models.environment.opportunist import Opportunist
from models.environment.placement import Placement
from models.environment.resistance import Resistance
from models.sequence.anchors import Anchors
from models.sequence.dual_stream import DualStream
from models.sequence.kan import FourierKAN
from models.sequence.rope import RotarySelfAttention
from models.sequence.stem import KmerStem

CBAT = ("model.encoder", "cbat")
HAS_TEACHER = "environment.teacher.kind"


def _rule(id: str, key: str, name: str, *when: tuple[str, Any], **texts: Any) -> Mechanism:
    return Mechanism(id=id, key=key, name=name, when=tuple(Setting(*pair) for pair in when), **texts)


def _scope(value: str, equation: str, **more: Any) -> Mechanism:
    shapes = "z_e [E, w], z_i [E, Q, d] -> r " + ("[E, 1]" if value == "cell" else "[E, Q]")
    return _rule(
        "M16", f"scope_{value}", f"R_E per {value if value == 'sample' else 'cell line'}",
        ("environment.scope", value), equation=equation, shapes=shapes, source="seed 001; rp13; definitions, Sample scope",
        trains="E", cls=Resistance, **more,
    )  # fmt: skip


def _sampler(key: str, name: str, equation: str) -> Mechanism:
    return _rule(
        "M40", key, name, ("episode.sampler", key), equation=equation,
        shapes="-> support [E, S], query [E, Q], cell [E], query_cell [E, Q]", source="seeds 000 and 002", trains="",
    )  # fmt: skip


def _balance(value: str, name: str, equation: str, source: str) -> Mechanism:
    off = (("balance", {"kind": "fixed"}),)
    key = "fixed_weights" if value == "fixed" else value
    return _rule(
        "M42", key, name, ("balance.kind", value), equation=equation, shapes="gradients of n terms -> one gradient",
        source=source, trains="", off=off if value != "fixed" else (),
    )  # fmt: skip


RULES: tuple[Mechanism, ...] = (
    _rule(
        "M01", "stem", "k-mer stem", ("model.kernel", GIVEN),
        equation="h = Dropout(LayerNorm(MaxPool(ReLU(Conv1d(Embedding(k-mers))))))",
        shapes="bases [B, L] -> h [B, P, d], mask [B, P]", source="definitions, Sizes", trains="S", cls=KmerStem,
    ),
    _rule(
        "M02", "self_attention", "rotary self-attention per side", ("model.self_attention_layers", POSITIVE),
        equation="h <- h + Attention(LN h) with <R_m q, R_n k>; h <- h + FFN(LN h)",
        shapes="h [B, P, d], mask [B, P] -> [B, P, d]", source="rp01 and later; Su et al. 2021", trains="S",
        cls=RotarySelfAttention,
    ),
    _rule(
        "M04", "anchors", "anchors, tempered pooling, direction gate", CBAT, ("model.anchors", POSITIVE),
        equation="a_k = W_k mean(other) + b_k; z = softmax(<W h, W a> / (tau sqrt d)) h; z_I = g z_E<-P + (1 - g) z_P<-E",
        shapes="other [B, P, d] -> anchors [B, K, d]; own [B, P, d] -> z [B, d]", source="rp04", trains="S", cls=Anchors,
    ),
    _rule(
        "M05", "fourier_kan", "Fourier KAN energy head", ("model.grid", POSITIVE),
        equation="U_I = w SiLU(sum_j sum_k a_ijk cos(k pi tanh x_j) + b_ijk sin(k pi tanh x_j)) + b",
        shapes="z_I [B, d] -> u [B]", source="rp04", trains="S", cls=FourierKAN,
    ),
    _rule(
        "M07", "share_sides", "one stem for both sides", ("model.share_sides", True),
        equation="Stem_E = Stem_P", shapes="bases [B, L] -> h [B, P, d]", source="seed 004", trains="S",
        off=(("model.share_sides", False),),
    ),
    _rule(
        "M07", "share_strands", "reverse-complement sharing", ("model.share_strands", True),
        equation="h = 1/2 (Stem(x) + Stem(rc x)) after pooling", shapes="bases [B, L] -> h [B, P, d]",
        source="seed 004; definitions, Sizes", trains="S", off=(("model.share_strands", False),),
    ),
    _rule(
        "M07", "bottleneck", "bottleneck on z_I", ("model.bottleneck", GIVEN),
        equation="z_I <- W z_I, W [n, d], n < d", shapes="[B, d] -> [B, n]", source="seed 004", trains="S",
        off=(("model.bottleneck", None),),
    ),
    _scope("cell", "R_E(c) = f(g(z_E(c)))"),
    _scope(
        "sample", "R_E(x, c) = f(g(z_E(c))) + <A (z_E(c) - mean z_E) / s, B sg z_I(x)>",
        off=(("environment.scope", "cell"),),
    ),
    _rule(
        "M25", "graph_map", "Student-to-graph map", ("environment.graph.map", "attention"),
        equation="z_E = sum_p a_p H_p, a = softmax(<W_q n(h), W_k m(H_p)> / sqrt w), h the set encoder's output, "
        "n and m to mean 0 and unit spread",
        shapes="h [E, w], nodes [C, P, w] -> [E, w]", source="seed 002", trains="E", cls=Placement,
    ),
    _rule(
        "M26", "fusion", "fusion of Teacher and Student", (HAS_TEACHER, "gradient"),
        ("environment.fusion.alpha", POSITIVE),
        equation="training: R_E = alpha R_T + (1 - alpha) R_S; unseen: R_E = R_S", shapes="r_T, r_S [E] -> r [E]",
        source="seed 001", trains="", off=(("environment.fusion.alpha", 0.0),),
    ),
    _rule(
        "M26", "fusion_ema", "fusion with the Student's average", (HAS_TEACHER, "ema"),
        ("environment.fusion.alpha", POSITIVE),
        equation="training: R_E = alpha R_T + (1 - alpha) R_S, R_T of the averaged Student; unseen: R_E = R_S",
        shapes="r_T, r_S [E] -> r [E]", source="seed 001", trains="", off=(("environment.fusion.alpha", 0.0),),
    ),
    _rule(
        "M27",
        "opportunist",
        "Opportunist (Student 2)",
        ("loss.competition.weight", POSITIVE),
        equation="R_O(c) = f(linear(z_O)), z_O = linear(GELU(linear(x))), x the standardised mean over S_c of GC content, "
        "k-mers, length and U_I",
        shapes="shallow [E, S, f] -> z_O [E, w], r_O [E]",
        source="seeds 000 and 001",
        trains="A",
        cls=Opportunist,
    ),
    _rule(
        "M28", "gp_posterior", "Gaussian-process extrapolation", ("environment.prior.extrapolate", "posterior"),
        equation="R(c*) = m + k(c*, C) (K + noise I)^-1 (R(C) - m)", shapes="place [E, p], reference r [C] -> r [E]",
        source="seed 004", trains="", off=(("environment.prior.extrapolate", "own"),),
    ),
    _rule(
        "M29", "pseudo_unseen", "pseudo-unseen cell lines", ("episode.pseudo_unseen", POSITIVE),
        equation="a share of episodes hides the cell line's name; target R_ref of a frozen earlier Teacher",
        shapes="cell [E] -> cell [E] with -1 where hidden", source="seed 001", trains="",
        off=(("episode.pseudo_unseen", 0.0),),
    ),
    _rule(
        "M34", "dual_stream", "orthogonal streams by construction", ("decouple.dual_stream", True),
        equation="z_I = Q_I Q_I' h, z_E = Q_E e, [Q_E Q_I] = (I - S)^-1 (I + S), S = A - A'", shapes="h [B, d] -> [B, d]",
        source="seed 004", trains="S", cls=DualStream,
    ),
    _sampler("cell_batch", "single-cell episodes", "each episode draws support and query from one cell line"),
    _sampler("meta_batch", "mixed blocks (documented as failing)", "episodes concatenate blocks of several cell lines"),
    _sampler("random", "random pairs (documented as failing)", "episodes draw pairs of all cell lines"),
    _rule(
        "M41", "isolated", "isolated gradient routing", ("routing", "isolated"),
        equation="d loss_i / d theta = 0 for theta outside the groups that term i names", shapes="gradients -> gradients",
        source="seeds 000 and 001", trains="", off=(("routing", "shared"),),
    ),
    _rule(
        "M41", "shared", "shared gradients (documented entanglement)", ("routing", "shared"),
        equation="every term reaches every group", shapes="gradients -> gradients", source="rp11, rp12", trains="",
        off=(("routing", "isolated"),),
    ),
    _balance("fixed", "weights as configured", "g = sum_i w_i g_i", "seed 003"),
    _balance("ramp", "weights that rise", "w_i(t) = w_i min(1, epochs of phase 2 / ramp)", "seed 003"),
    _balance("grad_norm", "shares of the gradient held", "|k_i g_i| = ratio w_i |g_task|", "Chen et al. 2018; seed 003"),
    _balance("pcgrad", "conflicting gradients projected", "g_i <- g_i - <g_i, g_j> g_j / |g_j|^2 where < 0",
             "Yu et al. 2020; seed 003"),
    _rule(
        "M35", "contrastive_relations", "hierarchical weights of negatives", ("loss.contrastive.weight", POSITIVE),
        ("loss.contrastive.relations", GIVEN),
        equation="below the fraction a candidate j of anchor i weighs 1 - h_ij, h_ij the relation of their cell lines",
        shapes="relations [C, C] -> weights [E, E + B]", source="seed 003 (semantic negatives)", trains="",
        off=(("loss.contrastive.relations", []),),
    ),
    _rule(
        "M43", "curriculum_ramp", "weights that rise under any balance", ("curriculum.ramp_epochs", POSITIVE),
        equation="w_i(t) = w_i min(1, epochs of phase 2 / ramp), which the balance is given in the place of w_i",
        shapes="epoch -> weights", source="seed 003", trains="", off=(("curriculum.ramp_epochs", 0.0),),
    ),
    _rule(
        "M43", "curriculum", "sequence side first", ("curriculum.phase1_epochs", POSITIVE),
        equation="phase 1: l = U_I, T = 1, R_E = 0, environment frozen; phase 2: all", shapes="epoch -> phase",
        source="seed 003", trains="", off=(("curriculum.phase1_epochs", 0),),
    ),
)  # fmt: skip
