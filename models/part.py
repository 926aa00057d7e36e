"""Parts that a model is composed of, each with the parameter group that its parameters belong to."""

from typing import ClassVar

from torch import nn


class ModelPart(nn.Module):
    """A part whose parameters are of one group; a part inside it may declare another group for its parameters.

    Groups: S, sequence side; E and T, environment side, its Student and its Teacher (T: Teacher and prototype graph);
    G, global energy scalars; A, adversaries and critics of loss terms. Where two sides are told apart, E stands for E
    and T together.
    """

    group: ClassVar[str]


def parameter_groups(model: nn.Module) -> dict[str, dict[str, nn.Parameter]]:
    """Every parameter below `model` in exactly one of the groups S, E, T, G, by qualified name.

    Raises TypeError for a parameter that is in no part.
    """
    groups: dict[str, dict[str, nn.Parameter]] = {"S": {}, "E": {}, "T": {}, "G": {}}
    group_of: dict[str, str] = {}
    met: set[nn.Parameter] = set()
    for place, module in model.named_modules():
        around = group_of.get(place.rpartition(".")[0], "")
        group = group_of[place] = module.group if isinstance(module, ModelPart) else around
        parameters = module._parameters  # noqa: SLF001  # the public way walks the tree below each module again
        for local, parameter in parameters.items():
            if parameter is None or parameter in met:
                continue
            name = f"{place}.{local}" if place else local
            if not group:
                raise TypeError(f"parameter '{name}' is in no part that declares its group")
            met.add(parameter)
            groups[group][name] = parameter
    return groups
