"""The synthetic benchmark is what it says: its truth, measured with the planted features, without a network."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import pearsonr
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score

from analysis.errors import UserError
from harness.config.blocks.data import SyntheticBlock
from harness.data.folds import default_cell_lines
from harness.data.planted import GATE, Planted, plant
from harness.data.synthetic import generate

LINES = 24
"""More cell lines than the default, so that the figures are about the design and not about a draw."""


def planted(form: str, **options: object) -> Planted:
    return plant(SyntheticBlock.model_validate({"form": form, "cell_lines": LINES, **options}))


def unseen(data: Planted) -> np.ndarray:
    """Which pairs are of the last third of the cell lines."""
    return data.cell >= LINES * 2 // 3


def nll(logit: np.ndarray, label: np.ndarray) -> float:
    return float(np.mean(np.logaddexp(0.0, logit) - label * logit))


def macro(score: np.ndarray, data: Planted) -> float:
    """Mean AUPR over the unseen cell lines."""
    cells = np.unique(data.cell[unseen(data)])
    return float(
        np.mean([average_precision_score(data.label[data.cell == c], score[data.cell == c]) for c in cells])
    )


def scores(data: Planted) -> dict[str, np.ndarray]:
    """Logits of U_I alone and of the linear and gated forms in the true U_I and R_E, fitted on the seen cell lines."""
    seen = ~unseen(data)
    u = data.u - data.u.mean()
    r = data.environment[data.cell, 0]
    columns = {"u": u[:, None], "linear": np.c_[u, r], "gated": np.c_[u * expit(GATE * r), np.ones_like(u)]}
    fitted = {}
    for name, x in columns.items():
        model = LogisticRegression(C=1e4).fit(x[seen], data.label[seen])
        fitted[name] = x @ model.coef_[0] + model.intercept_[0]
    return fitted


@pytest.mark.parametrize("form", ["gated", "modulated"])
def test_prevalence_is_near_one_half_in_every_cell_line(form: str) -> None:
    data = planted(form)
    share = np.array([data.label[data.cell == c].mean() for c in range(LINES)])
    assert share.min() > 0.38
    assert share.max() < 0.62


@pytest.mark.parametrize(("form", "spread"), [("linear", 0.1), ("interaction", 0.04)])
def test_resistance_varies_the_prevalence_but_keeps_both_classes(form: str, spread: float) -> None:
    data = planted(form)
    share = np.array([data.label[data.cell == c].mean() for c in range(LINES)])
    assert share.std() > spread
    assert 0.1 < share.min() < share.max() < 0.9
    assert data.r.min() >= 0.0


def test_gated_truth_differs_from_linear_only_across_cell_lines() -> None:
    data = planted("gated")
    held, fitted = unseen(data), scores(data)
    pooled = {k: average_precision_score(data.label[held], s[held]) for k, s in fitted.items()}
    loss = {k: nll(s[held], data.label[held]) for k, s in fitted.items()}
    assert pooled["gated"] - max(pooled["linear"], pooled["u"]) > 0.03
    assert min(loss["linear"], loss["u"]) - loss["gated"] > 0.02
    assert macro(fitted["gated"], data) == pytest.approx(macro(fitted["u"], data), abs=1e-9)


def test_default_fold_has_open_and_closed_gates_on_every_side() -> None:
    """Else a gated energy could not be judged on the one or two unseen cell lines."""
    for seed in range(5):
        data = plant(SyntheticBlock(seed=seed))
        gate = dict(zip(data.cell_lines, expit(GATE * data.environment[:, 0]), strict=True))
        for names in default_cell_lines(data.cell_lines):
            values = [gate[name] for name in names]
            assert max(values) > 0.5 > min(values)
            assert max(values) - min(values) > 0.5


def test_on_the_linear_truth_a_gate_has_no_advantage() -> None:
    data = planted("linear")
    held, fitted = unseen(data), scores(data)
    pooled = {k: average_precision_score(data.label[held], s[held]) for k, s in fitted.items()}
    loss = {k: nll(s[held], data.label[held]) for k, s in fitted.items()}
    assert pooled["linear"] > pooled["gated"]
    assert loss["linear"] < loss["gated"]


def test_modulated_truth_is_ranked_by_cell_specific_weights_only() -> None:
    data = planted("modulated")
    seen, x = ~unseen(data), data.features
    v = data.environment[data.cell]
    bilinear = np.c_[x, (x[:, :, None] * v[:, None, :]).reshape(len(x), -1)]
    shared = LogisticRegression(C=1.0).fit(x[seen], data.label[seen])
    specific = LogisticRegression(C=1.0).fit(bilinear[seen], data.label[seen])
    gain = macro(bilinear @ specific.coef_[0], data) - macro(x @ shared.coef_[0], data)
    assert gain >= 0.03


def support_frequencies(block: SyntheticBlock, draws: int = 8, size: int = 32) -> tuple[np.ndarray, ...]:
    """Share of support pairs whose sequences hold the exact marker motifs (no label is read), v_c, cell line."""
    from harness.data.synthetic import _words

    raw, data = generate(block), plant(block)
    text = (raw.enhancers["sequence"] + "|" + raw.promoters["sequence"]).tolist()
    words = ["".join("ACGT"[code] for code in word) for word in _words(block)]
    markers = words[block.motifs : block.motifs + 2 * block.environment_dim]
    holds = np.array([[word in sequence for word in markers] for sequence in text], dtype=float)
    rng = np.random.default_rng(0)
    x, v, cell = [], [], []
    for c in range(block.cell_lines):
        for _ in range(draws):
            x.append(holds[rng.choice(np.flatnonzero(data.cell == c), size, replace=False)].mean(0))
            v.append(data.environment[c])
            cell.append(c)
    return np.array(x), np.array(v), np.array(cell)


@pytest.mark.parametrize("uninformative", [False, True])
def test_an_unlabelled_support_set_reveals_the_environment(uninformative: bool) -> None:
    block = SyntheticBlock(cell_lines=LINES, pairs_per_cell=160, uninformative_environment=uninformative)
    x, v, cell = support_frequencies(block)
    held = cell >= LINES * 2 // 3
    predicted = Ridge(1e-2).fit(x[~held], v[~held]).predict(x[held])
    r2 = 1.0 - ((predicted - v[held]) ** 2).sum(0) / ((v[held] - v[~held].mean(0)) ** 2).sum(0)
    if uninformative:
        assert r2.max() < 0.2
        assert generate(block).cell_features is None
    else:
        assert r2.min() > 0.8


def test_the_potential_does_not_depend_on_the_environment() -> None:
    data = planted("gated", pairs_per_cell=600)
    means = np.array([data.u[data.cell == c].mean() for c in range(LINES)])
    spread = np.array([data.u[data.cell == c].std() for c in range(LINES)])
    assert np.abs(means).max() < 0.4
    assert spread == pytest.approx(np.full(LINES, 3.0), abs=0.5)


def test_labels_follow_the_planted_energy() -> None:
    data = planted("gated", pairs_per_cell=1000)
    for low, high in ((-3.0, -1.5), (-0.5, 0.5), (1.5, 3.0)):
        here = (data.logit > low) & (data.logit < high)
        assert data.label[here].mean() == pytest.approx(expit(data.logit[here]).mean(), abs=0.03)
    noisy = planted("gated", pairs_per_cell=1000, label_noise=0.2)
    assert (noisy.label != data.label).mean() == pytest.approx(0.2, abs=0.01)


def test_the_same_locus_has_the_same_dna_in_every_cell_line() -> None:
    raw = generate(SyntheticBlock(cell_lines=8, pairs_per_cell=80))
    place = raw.enhancers["region"].str.split("|").str[1]
    shared = raw.enhancers.groupby(place)["sequence"].agg(["nunique", "size"])
    assert (shared["nunique"] == 1).all()
    assert (shared["size"] > 1).sum() > 20
    again = generate(SyntheticBlock(cell_lines=8, pairs_per_cell=80))
    assert raw.enhancers.equals(again.enhancers)
    assert raw.pairs.equals(again.pairs)


def test_a_training_shortcut_means_nothing_in_unseen_cell_lines() -> None:
    from harness.data.synthetic import _words

    block = SyntheticBlock(cell_lines=10, pairs_per_cell=400, training_shortcut=0.8)
    raw = generate(block)
    word = "".join("ACGT"[code] for code in _words(block)[-1])
    has = raw.enhancers["sequence"].str.contains(word).to_numpy()
    label = raw.pairs["label"].to_numpy() == 1
    train = (
        raw.pairs["cell_line"].isin(default_cell_lines(sorted(set(raw.pairs["cell_line"]))).train).to_numpy()
    )
    assert has[train & label].mean() == pytest.approx(0.8, abs=0.05)
    assert has[train & ~label].mean() < 0.01
    assert has[~train & label].mean() == pytest.approx(has[~train & ~label].mean(), abs=0.08)
    assert has[~train].mean() == pytest.approx(0.4, abs=0.05)


def test_a_promoter_shortcut_lets_the_promoter_decide() -> None:
    plain, fault = planted("gated"), planted("gated", promoter_shortcut=0.9)

    def explained(data: Planted) -> float:
        own = data.in_promoter[data.locus].astype(float)
        seen = ~unseen(data)
        model = Ridge(1e-3).fit(own[seen], data.u[seen])
        return float(pearsonr(model.predict(own[~seen]), data.u[~seen]).statistic)

    assert explained(fault) > 0.95
    assert explained(plain) < 0.8
    assert fault.u.std() == pytest.approx(plain.u.std(), rel=0.05)


def test_elements_too_short_for_the_motifs_are_refused() -> None:
    with pytest.raises(UserError, match=r"data\.synthetic\.enhancer_bp: 80 bp has no room for motifs: 32"):
        generate(SyntheticBlock(motifs=32, enhancer_bp=80))
    smallest = generate(SyntheticBlock(enhancer_bp=80, promoter_bp=80, pairs_per_cell=20))
    assert set(smallest.enhancers["sequence"].str.len()) == {80}
