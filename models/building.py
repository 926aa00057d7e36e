"""From plain settings to a model: where `models` reads a configuration, apart from a class's own `arguments`."""

from typing import TypeVar

from torch import Tensor

from models.energy import ENERGIES, TEMPERATURES, Energy
from models.environment import ENVIRONMENTS, GRAPHS, TEACHERS
from models.environment.cell_environment import CellEnvironment
from models.environment.placement import Placement
from models.environment.prior import GaussianProcessPrior
from models.environment.side import EnvironmentSide
from models.prism import PrismModel
from models.registry import Registry, Settings
from models.sequence.frozen import Answers, FrozenPotential
from models.sequence.interaction import INTERACTIONS
from models.sequence.potential import SequencePotential
from models.sizes import Sizes

T = TypeVar("T")
OF_THE_DATA = frozenset({"size", "enhancer_bp", "promoter_bp"})
"""Keys of the model block that say what data the network is given, not what it is."""


def build_model(
    settings: Settings,
    cell_lines: int,
    *,
    v: Tensor | None = None,
    relations: Tensor | None = None,
    early: Settings | None = None,
    frozen: Answers | None = None,
) -> PrismModel:
    """The model of a resolved configuration (`ConfigurationBlock.model_dump()`, sizes filled in), not yet initialised.

    cell_lines C: training cell lines; v [C, F]: their standardised features where the settings read them; relations
    [C, C]: weights of relations between them, where there are any; early: the same settings for the sequence side, which
    trains before the rest, where somebody notes what is read of them; frozen: what a sequence side gave that is trained
    no further, which stands in its place. Raises KeyError for a choice that is not registered, ValueError for sizes that
    do not fit together, TypeError for a key that nothing takes.
    """
    of_sequence = settings if early is None else early
    sequence = (
        build_sequence_side(of_sequence) if frozen is None else build_frozen(of_sequence["model"], frozen)
    )
    width = settings["environment"].get("width", 1)
    inputs = 0 if v is None else v.shape[1]
    sizes = Sizes(cell_lines, sequence.features, width, inputs=inputs, relations=relations)
    energy = ENERGIES.choose(settings, sizes)
    environment = build_environment(settings, sizes, energy, v)
    return PrismModel(sequence, energy, TEMPERATURES.choose(settings, sizes), environment)


def build_sequence_side(settings: Settings) -> SequencePotential:
    """The sequence side that a resolved configuration asks for."""
    decouple = settings["decouple"]
    return build_sequence(
        settings["model"],
        stochastic=decouple["vib"] > 0,
        environment_stream=settings["environment"].get("width", 1) if decouple["dual_stream"] else None,
    )


def build_frozen(model: Settings, answers: Answers) -> FrozenPotential:
    """What stands for a frozen sequence side, with the energy head of a model block."""
    return FrozenPotential(answers, **{key: model[key] for key in sorted(FrozenPotential.keys)})


def build_sequence(
    model: Settings, *, stochastic: bool = False, environment_stream: int | None = None
) -> SequencePotential:
    """The network of a resolved model block; `stochastic` and `environment_stream` as in SequencePotential.

    Raises ValueError when embedding, kernel or width is still open, or sizes do not fit together; TypeError for a key
    that nothing takes; KeyError for an encoder that is not registered.
    """
    of_encoders = frozenset().union(*(row.cls.keys for row in INTERACTIONS))
    unknown = model.keys() - OF_THE_DATA - SequencePotential.keys - of_encoders - {"encoder"}
    if unknown:
        raise TypeError(f"the model block has keys that nothing takes: {', '.join(sorted(unknown))}")
    unresolved = [
        key for key, value in model.items() if value is None and key not in OF_THE_DATA | {"bottleneck"}
    ]
    if unresolved:
        raise ValueError(f"the model block is not resolved: {', '.join(unresolved)} must be given a value")
    sizes = Sizes(0, model["width"], 0)
    return SequencePotential(
        INTERACTIONS.choose({"model": model}, sizes),
        **{key: value for key, value in model.items() if key in SequencePotential.keys},
        stochastic=stochastic,
        environment_stream=environment_stream,
    )


def build_environment(settings: Settings, sizes: Sizes, energy: Energy, v: Tensor | None) -> EnvironmentSide:
    """The environment side that the settings choose, with the map to R_E that the energy asks for."""
    block = settings["environment"]
    if ENVIRONMENTS.chosen(settings) == "none":
        return EnvironmentSide(sizes.cell_lines, sizes.width)
    source = ENVIRONMENTS.choose(settings, sizes)
    resistance = energy.resistance(
        width=sizes.width, features=sizes.features, scope=block["scope"], rank=block["rank"]
    )
    teacher, graph = _chosen(TEACHERS, settings, sizes), _chosen(GRAPHS, settings, sizes)
    mapped = graph is not None and block["graph"]["map"] == "attention"
    prior = block.get("prior")
    extrapolates = prior is not None and prior["extrapolate"] == "posterior"
    return CellEnvironment(
        source,
        resistance,
        cell_lines=sizes.cell_lines,
        teacher=teacher,
        alpha=0.0 if teacher is None else block["fusion"]["alpha"],
        graph=graph,
        placement=Placement(sizes.width) if mapped else None,
        prior=build_prior(prior, v) if extrapolates or settings["loss"]["gp_prior"]["weight"] > 0 else None,
        extrapolates=extrapolates,
        pseudo_unseen=settings["episode"]["pseudo_unseen"] > 0,
    )


def build_prior(block: Settings | None, v: Tensor | None) -> GaussianProcessPrior | None:
    """The Gaussian process of a prior block, over the features v [C, F] or over z_E; None without a block."""
    if block is None:
        return None
    numbers = {name: block[name] for name in ("lengthscale", "variance", "noise")}
    return GaussianProcessPrior(v if block["over"] == "features" else None, **numbers)


def _chosen(registry: Registry[T], settings: Settings, sizes: Sizes) -> T | None:
    return None if registry.chosen(settings) == "none" else registry.choose(settings, sizes)
