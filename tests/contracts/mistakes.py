"""Mistakes in the files of docs/adding.md: each a change of one file's text, and what has to be said of it."""

from typing import NamedTuple


class Mistake(NamedTuple):
    """In `file`, `old` becomes `new`; `says` is part of the sentence, `at` text of the line that it names (empty: none is
    named), `line` of the file that was changed."""

    file: str
    old: str
    new: str
    says: str
    at: str = ""


REGISTERED = "is registered twice"
LOADED = {
    "a term without reach": Mistake(
        "my_terms", "    reach = EVERY_SIDE\n", "", "'mine' (Mine) does not declare reach", "@LOSSES"
    ),
    "a block without its weight": Mistake(
        "my_terms",
        "    weight: Weight = 0.0\n",
        "",
        "loss term 'mine' has the weight loss.mine.weight, and no configuration has that key",
        "class Mine(",
    ),
    "a block of no term": Mistake(
        "my_terms",
        '@LOSSES.register("mine", id="X01", name="price of confidence", **TEXTS)\n',
        "",
        "loss.mine is the block of no loss term",
        "class MineBlock(",
    ),
    "a key that the term does not take": Mistake(
        "my_terms",
        "def __init__(self, scale: float) -> None:\n        super().__init__()\n        self.scale = scale",
        "def __init__(self, size: float) -> None:\n        super().__init__()\n        self.scale = size",
        "loss term 'mine' is built with (scale), and its constructor takes (size)",
        "class Mine(",
    ),
    "a key that the energy does not take": Mistake(
        "my_energy",
        "    length: float = Field(1.0, gt=0.0)\n",
        "    length: float = Field(1.0, gt=0.0)\n    power: float = 1.0\n",
        "energy form 'screened' is built with (length, power), and its constructor takes (length)",
        "class Screened(",
    ),
    "a term twice": Mistake(
        "my_terms", '@LOSSES.register("mine"', '@LOSSES.register("vib"', REGISTERED, "@LOSSES"
    ),
    "a built-in block": Mistake(
        "my_terms",
        '@loss_block("mine")',
        '@loss_block("ranking")',
        "the key 'ranking' of LossBlock is registered already",
        "@loss_block",
    ),
    "an energy without its block": Mistake(
        "my_energy",
        '@choice("energy.form")\n',
        "",
        "energy form 'screened' can be chosen by nothing",
        "class Screened(",
    ),
    "a block of no energy": Mistake(
        "my_energy",
        '@ENERGIES.register("screened", id="X02", name="screened energy", **TEXTS)\n',
        "",
        "energy.form: screened chooses no energy form",
        "class ScreenedEnergy(",
    ),
    "an energy that leaves out a declaration": Mistake(
        "my_energy",
        "    standardise_resistance = False\n",
        "",
        "does not declare standardise_resistance",
        "@ENERGIES",
    ),
    "an energy without a method": Mistake(
        "my_energy",
        "def strictly_increasing",
        "def increasing",
        "does not declare strictly_increasing",
        "@ENERGIES",
    ),
    "an encoder without a method": Mistake(
        "my_encoder",
        "def encode",
        "def encodes",
        "'largest' (Largest) does not declare encode",
        "@SET_ENCODERS",
    ),
    "a sampler that says nothing of mixing": Mistake(
        "my_sampler",
        "    mixes = False\n",
        "",
        "'even' (Even) does not declare mixes",
        "@SAMPLERS",
    ),
    "a balance of a built-in name": Mistake(
        "my_balance",
        '@BALANCES.register("fading"',
        '@BALANCES.register("pcgrad"',
        REGISTERED,
        "@BALANCES",
    ),
    "a rule without advice": Mistake(
        "my_rule",
        '    advice = "train longer, or raise optimiser.lr"\n',
        "",
        "warning rule StillHigh cannot be registered: it lacks advice",
        "@register",
    ),
    "a rule of a built-in mark": Mistake(
        "my_rule",
        'mark = "H"',
        'mark = "n"',
        "its mark 'n' is that of rule negative_loss",
        "@register",
    ),
    "a baseline without a note": Mistake(
        "my_baseline",
        '    note = "GC content alone"\n',
        "",
        "'gc_content' (GcContent) does not declare note",
        "@BASELINES",
    ),
    "a baseline of a built-in name": Mistake(
        "my_baseline", '"gc_content"', '"distance"', REGISTERED, "@BASELINES"
    ),
    "a weight that is no path": Mistake(
        "my_terms", '"loss.mine.weight"', "5", "declares weight = 5, expected a str", "@LOSSES"
    ),
    "a weight of another mechanism": Mistake(
        "my_terms",
        '"loss.mine.weight"',
        '"optimiser.lr"',
        "has the weight optimiser.lr, which is no weight of a loss term: expected loss.mine.weight",
        "class Mine(",
    ),
    "a reach that is a word": Mistake(
        "my_terms",
        "reach = EVERY_SIDE",
        'reach = "SETG"',
        "declares reach = 'SETG', expected a frozenset",
        "@LOSSES",
    ),
    "needs in a list": Mistake(
        "my_terms",
        "needs = frozenset()",
        "needs = []",
        "declares needs = [], expected a frozenset",
        "@LOSSES",
    ),
    "a read of nothing": Mistake(
        "my_terms", '{"logit"}', '{"logits"}', "reads logits, and what a step has is cell, ", "@LOSSES"
    ),
    "a default outside its bounds": Mistake(
        "my_terms",
        "Field(2.0, gt=0.0)",
        "Field(-2.0, gt=0.0)",
        "MineBlock has the default scale = -2.0, expected greater than 0",
        "@loss_block",
    ),
    "an energy that is none": Mistake(
        "my_energy",
        "class Screened(Energy)",
        "class Screened",
        "energy form 'screened' is no subclass of Energy",
        "@ENERGIES",
    ),
    "a sampler that says mixing in a word": Mistake(
        "my_sampler", "mixes = False", 'mixes = "no"', "declares mixes = 'no', expected a bool", "@SAMPLERS"
    ),
    "a design of a built-in name": Mistake(
        "my_design",
        '@design("ends")',
        '@design("grid")',
        "design: grid is registered already",
        "@design",
    ),
    "a design that yields one twice": Mistake(
        "my_design",
        '[Arm(first)] if first == last else [Arm(first, "first values"), Arm(last, "last values")]',
        "[Arm(first), Arm(last), Arm(first)]",
        "design: ends yields as configuration 3 the same as configuration 1",
    ),
    "a design of an unknown key": Mistake(
        "my_design",
        'Arm(last, "last values")',
        'Arm({**last, "energy.lenght": 1.0})',
        "design: ends yields as configuration 2 one that cannot be: 'energy.lenght' is not a path of the configuration; "
        "did you mean 'energy.length'?",
    ),
    "a design of a wrong value": Mistake(
        "my_design",
        'Arm(last, "last values")',
        'Arm({**last, "loss.mine.scale": -1.0})',
        "one that cannot be: loss.mine.scale is -1.0, expected above 0",
    ),
    "a design of nothing": Mistake(
        "my_design",
        '[Arm(first)] if first == last else [Arm(first, "first values"), Arm(last, "last values")]',
        "[]",
        "design: ends yields no configuration of this space",
    ),
    "a design that raises": Mistake(
        "my_design",
        "        return [Arm(first)]",
        "        first[0]\n        return [Arm(first)]",
        "design ends ended with KeyError: 0",
        "first[0]",
    ),
}
"""Said as the sweep is loaded, before anything is written; of the last designs the place is that of `design:`."""

SCORED = {
    "scores that are no numbers": Mistake(
        "my_baseline",
        "return self.model.decision_function(self.shares(features, pairs))",
        "return np.full(len(pairs), np.nan)",
        "of its scores of 15 pairs are NaN or infinite",
    ),
    "scores of another length": Mistake(
        "my_baseline",
        "(self.shares(features, pairs))\n",
        "(self.shares(features, pairs))[1:]\n",
        "have the shape (",
    ),
    "a fit on validation": Mistake(
        "my_baseline",
        "train = self.subset(train)",
        "train = np.arange(len(features.dataset))",
        "baseline gc_content: it asks for the labels of",
    ),
    "an error": Mistake(
        "my_baseline",
        "        train = self.subset(train)",
        "        train = self.subsets(train)",
        "baseline gc_content ended with AttributeError",
        "self.subsets",
    ),
}
"""Said as the baselines are computed."""


class Sabotage(NamedTuple):
    """A mistake that only the audit can see: what is judged, as what, and why in words."""

    mistake: Mistake
    mechanism: str
    verdict: str


def _of(file: str, old: str, new: str, mechanism: str, says: str, verdict: str = "inert") -> Sabotage:
    return Sabotage(Mistake(file, old, new, says), mechanism, verdict)


IGNORED = "nothing reads it: "
AUDITED = {
    "gradient cut": _of(
        "my_terms", "(step.logit /", "(step.logit.detach() /", "mine", "no gradient changes without it"
    ),
    "weight ignored": _of(
        "my_terms",
        "    def __init__",
        "    @classmethod\n    def weight_in(cls, settings):\n        return 1.0\n\n    def __init__",
        "mine",
        "loss.mine.weight: 0 does not give what leaving the term out gives",
        "leaking",
    ),
    "key of the term ignored": _of(
        "my_terms", "step.logit / self.scale", "step.logit", "loss.mine.scale", IGNORED
    ),
    "reach wider than declared": _of(
        "my_terms",
        "        self.scale = scale\n",
        "        self.scale = scale\n        self.reach = EVERY_SIDE | {'A'}\n",
        "mine",
        "its gradient reaches group A",
        "leaking",
    ),
    "R_E ignored": _of(
        "my_energy", "(-r / self.length)", "(0 * r - self.length)", "screened", "when it is neutralised"
    ),
    "key of the energy ignored": _of("my_energy", "(-r / self.length)", "(-r)", "energy.length", IGNORED),
    "an order that is not U_I's": _of(
        "my_energy",
        "u * (-r / self.length).exp()",
        "-u * (-r / self.length).exp()",
        "screened",
        "increases in U_I",
    ),
    "constant encoder": _of(
        "my_encoder",
        "self.out(self.phi(x).amax(-2))",
        "x.new_zeros(x.shape[0], self.width)",
        "largest",
        "no gradient arrives",
    ),
    "learned constant": _of(
        "my_encoder",
        "return self.out(self.phi(x).amax(-2))",
        "return self.out.bias + 0 * self.out(self.phi(x).amax(-2))",
        "largest",
        "it does not read its support set",
    ),
    "mixed episodes": _of(
        "my_sampler",
        "draw.choice(self.pools[c],",
        "draw.choice(np.concatenate(self.pools),",
        "even",
        "which this sampler never draws",
    ),
    "balance without effect": _of(
        "my_balance", "self.half / (self.half + index)", "1.0", "fading", "a twin without it is the same"
    ),
}
