"""From the configuration to the list of weighted loss terms."""

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from models.energy import ENERGIES, Energy
from models.losses import (  # noqa: F401 -- importing a module enters its rows in LOSSES
    adversary,
    club,
    competition,
    conditional_adversary,
    contrastive,
    decoupling,
    distillation,
    gp_prior,
    hsic,
    infonce,
    irm,
    prototypes,
    ranking,
    reconstruction,
    regularisers,
    speculation,
    task,
    vib,
)
from models.losses.term import LOSSES, LossTerm, value_at


def build_terms(
    settings: Mapping[str, Any],
    *,
    cell_lines: int,
    features: int,
    width: int,
    statistics: int = 0,
    relations: Tensor | None = None,
) -> list[tuple[LossTerm, float]]:
    """[(term, weight)] of a configuration: the task term with weight 1 first, then every term with weight >
    0.

    settings: the blocks `loss`, `decouple`, `temperature` and `energy` of a trial configuration as plain data; C =
    cell_lines training cell lines, d = features of z_I, w = width of z_E, f = statistics of a support pair that the
    Opportunist sees; relations [C, C] weigh the negatives of the contrastive term. A weight of 0 means that the term
    is not built. Raises KeyError for a task, surrogate or kind that is not registered, and TypeError for unknown
    settings.
    """
    loss, decouple, temperature = settings["loss"], settings["decouple"], settings["temperature"]
    terms = [(LOSSES.build(loss["task"]), 1.0)]

    def add(row: str, weight: float, **arguments: Any) -> None:
        if weight > 0:
            terms.append((LOSSES.build(row, **arguments), weight))

    rank = loss["ranking"]
    pairs = {"pairwise": {"max_pairs": rank["max_pairs"]}}.get(rank["surrogate"], {})
    scale = {} if rank["tau"] is None else {"tau": rank["tau"]}
    add(f"ranking_{rank['surrogate']}", rank["weight"], **scale, **pairs)
    add("speculation", **loss["speculation"])
    add("contrastive", width=width, **{**loss["contrastive"], "relations": relations})
    proto = loss["prototypes"]
    own = {"contrastive": ("tau",), "hinged": ("radius",)}.get(proto["kind"], ())
    add(
        f"prototypes_{proto['kind']}",
        proto["weight"],
        cell_lines=cell_lines,
        width=width,
        momentum=proto["momentum"],
        **{name: proto[name] for name in own},
    )
    for name in ("distillation", "gp_prior", "reconstruction"):
        add(name, **loss[name])
    add(
        "competition",
        **loss["competition"],
        cell_lines=cell_lines,
        width=width,
        statistics=statistics,
        task=loss["task"],
        nonnegative=cast(type[Energy], ENERGIES.row(settings["energy"]["form"]).cls).nonnegative_resistance,
    )
    for name in ("z_i", "z_e", "r", "groups"):
        add(f"sparsity_{name}", loss["sparsity"][name])
    add("calibration", **loss["calibration"])
    add("temperature", temperature.get("penalty", 0.0), per_cell=temperature["mode"] == "per_cell")
    for name in ("orthogonal", "pearson", "infonce", "club", "hsic"):
        add(name, decouple[name], features=features, width=width, reach=decouple["reach"])
    for name in ("grl", "conditional_grl"):
        add(name, decouple[name], cell_lines=cell_lines, features=features)
    add("irm", decouple["irm"], cell_lines=cell_lines)
    add("vib", decouple["vib"])
    for row in LOSSES:
        cls = cast(type[LossTerm], row.cls)
        block, _, name = cls.weight.rpartition(".")
        if not any(isinstance(term, cls) for term, _ in terms):
            options = {
                key: value for key, value in (value_at(settings, block) or {}).items() if key != "weight"
            }
            add(row.key, cls.weight_in(settings), **(options if name == "weight" else {}))
    return terms
