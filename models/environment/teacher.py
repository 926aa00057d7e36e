"""The Teacher: what is known of a training cell line by its name, or by the Student's own past."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from models.part import ModelPart
from models.registry import Registry, Settings
from models.sizes import Sizes

Values = Mapping[str, Tensor]
"""Parameters by qualified name, in place of a module's own."""


class Teacher(ModelPart):
    """R_T of the training cell lines. Where its answer comes from is the one thing that the kinds differ in.

    `by_name`: it looks the cell line up (parameters of its own, group T); otherwise it is the Student's branch
    with remembered parameters, which are explicit state and no group's.
    """

    acts: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    """Where it acts and what it reads (`models.registry`)."""
    group = "T"
    by_name: bool

    @classmethod
    @abstractmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        """Constructor arguments."""

    @abstractmethod
    def remember(self, memory: Values, student: Values) -> dict[str, Tensor]:
        """The Teacher's remembered parameters after a step that left the Student at `student`."""


TEACHERS: Registry[Teacher] = Registry(
    "teacher", Teacher, path="environment.teacher.kind", group=Teacher.group, plain="none"
)


@TEACHERS.register(
    "gradient",
    id="M23",
    name="Teacher by gradient",
    equation="raw_T(c) = linear(e_c + mean_k H_{c,k}), H the prototype graph's states (0 without a graph)",
    shapes="cell [E] | [E, Q] long, nodes [C, P, w] -> [E] | [E, Q]; table e [C, w]",
    source="source documents 000 to 002",
)
class GradientTeacher(Teacher):
    """raw_T(c) = linear(e_c + mean_k H_{c,k}): embedding of the cell line and its own aggregated prototypes.

    Trained by the gradients of the terms that reach the Teacher, through fusion. An index of -1 (unseen or
    hidden) is answered as index 0 would be: fusion gives that answer no weight. NaN in `nodes` passes through.
    """

    acts = frozenset({"training", "prediction_known"})
    reads = frozenset({"cell_line"})
    by_name = True

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        return {"cell_lines": sizes.cell_lines, "width": sizes.width}

    def __init__(self, cell_lines: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(cell_lines, width)
        self.head = nn.Linear(width, 1)

    def forward(self, cell: Tensor, nodes: Tensor | None) -> Tensor:
        """raw_T of the shape of `cell`: one per episode, or one per query pair where their cell lines differ."""
        known = cell.clamp(min=0)
        z_t = self.table(known)
        if nodes is not None:
            z_t = z_t + nodes.mean(1)[known]
        raw: Tensor = self.head(z_t).squeeze(-1)
        return raw

    def remember(self, memory: Values, student: Values) -> dict[str, Tensor]:
        """Nothing: its parameters are the optimiser's."""
        return {}


@TEACHERS.register(
    "ema",
    id="M23",
    name="Teacher as the Student's average",
    equation="theta_T <- m theta_T + (1 - m) theta_S after every step; raw_T(c) = raw_S(S_c; theta_T)",
    shapes="Student's parameters -> the same shapes",
    source="source documents 000 to 002; Tarvainen and Valpola 2017, mean teacher",
)
class EmaTeacher(Teacher):
    """theta_T <- m theta_T + (1 - m) theta_S: the Student averaged over its past steps, without gradient.

    It reads the support set as the Student does, and no name. The first step's memory is the Student itself.
    Momentum m in [0, 1). NaN in the Student's parameters enters the average.
    """

    acts = frozenset({"training", "prediction_known"})
    reads = frozenset({"support"})
    by_name = False

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        return {"momentum": settings["environment"]["teacher"]["momentum"]}

    def __init__(self, momentum: float = 0.99) -> None:
        super().__init__()
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"momentum {momentum} is not in [0, 1)")
        self.momentum = momentum

    def remember(self, memory: Values, student: Values) -> dict[str, Tensor]:
        return {
            name: torch.lerp(now.detach(), memory[name].detach(), self.momentum)
            for name, now in student.items()
        }
