"""The two branches of the environment side, with the present parameters or with remembered ones."""

from typing import NamedTuple

from torch import Tensor, nn
from torch.func import functional_call

from models.environment.teacher import Teacher, Values
from models.episode import Support


class Branches(NamedTuple):
    """Student and Teacher as functions of a support set: the order in which their modules run.

    `environment` makes z_E; `head` is the linear map from z_E to the raw R_E; the others are None where they are
    not built. `values` are parameters by the qualified names of the whole model, in place of the modules' own.
    """

    environment: nn.Module
    head: nn.Module
    graph: nn.Module | None
    placement: nn.Module | None
    teacher: Teacher | None

    def student(self, support: Support, values: Values | None = None) -> Tensor:
        """z_E [E, w]: that of the environment, or its place on the prototype graph (M25)."""
        z_e = _call(self.environment, "environment.", values, support)
        if self.placement is not None:
            z_e = _call(self.placement, "placement.", values, z_e, self._nodes(values))
        return z_e

    def teacher_raw(self, support: Support, values: Values | None = None) -> Tensor:
        """raw R_T of the cell lines in `support.cell`, of its shape: [E], or [E, Q] of a mixed episode's query pairs, for
        which a Teacher that goes by the support set has one answer per episode. Needs a Teacher."""
        assert self.teacher is not None
        if self.teacher.by_name:
            nodes = None if self.graph is None else self._nodes(values)
            return _call(self.teacher, "teacher.", values, support.cell, nodes)
        z_e = self.student(support, values)
        raw = _call(self.head, "resistance.cell_part.", values, z_e).squeeze(-1)
        return raw if raw.ndim == support.cell.ndim else raw.unsqueeze(-1).expand_as(support.cell)

    def teacher_parameters(self) -> dict[str, Tensor]:
        """Parameters that R_T depends on, by qualified name: Teacher and graph, or the whole branch of the Student."""
        parts: dict[str, nn.Module | None] = {"graph.": self.graph}
        if self.teacher is not None and self.teacher.by_name:
            parts["teacher."] = self.teacher
        else:
            parts |= {
                "environment.": self.environment,
                "placement.": self.placement,
                "resistance.cell_part.": self.head,
            }
        return {
            prefix + name: parameter
            for prefix, module in parts.items()
            if module is not None
            for name, parameter in module.named_parameters()
        }

    def _nodes(self, values: Values | None) -> Tensor:
        """H [C, P, w] of the prototype graph."""
        assert self.graph is not None
        return _call(self.graph, "graph.", values)


def _call(module: nn.Module, prefix: str, values: Values | None, *arguments: object) -> Tensor:
    parameters = {
        name[len(prefix) :]: value for name, value in (values or {}).items() if name.startswith(prefix)
    }
    output: Tensor = functional_call(module, parameters, arguments) if parameters else module(*arguments)
    return output
