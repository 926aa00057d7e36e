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
    group_of: dict[str, str] = {}
    for name, module in model.named_modules():
        if isinstance(module, ModelPart):
            group_of |= {inner: module.group for inner, _ in module.named_parameters(prefix=name)}
    groups: dict[str, dict[str, nn.Parameter]] = {"S": {}, "E": {}, "T": {}, "G": {}}
    for name, parameter in model.named_parameters():
        if name not in group_of:
            raise TypeError(f"parameter '{name}' is in no part that declares its group")
        groups[group_of[name]][name] = parameter
    return groups
