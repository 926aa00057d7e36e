"""Fusion of Teacher and Student (M26): how much of each a cell line's resistance is."""

from torch import Tensor

from models.declared import POSITIVE, declare


def teacher_share(cell: Tensor, alpha: float) -> Tensor:
    """alpha_c = alpha for a training cell line whose name is known, 0 for an unseen or hidden one (-1).

    cell long of any shape -> the same shape, float in [0, 1]. Source: source document 001, section 3.2.
    """
    return (cell >= 0).float() * alpha


def fuse(share: Tensor, teacher: Tensor, student: Tensor) -> Tensor:
    """R_E(c) = alpha_c R_T(c) + (1 - alpha_c) R_S(c); shapes that broadcast.

    Exactly R_S(c) where alpha_c = 0 and exactly R_T(c) where it is 1, as long as both are finite; a NaN of
    either makes the result NaN. Source: source document 001, section 3.2.
    """
    share = share.to(student.dtype)
    return share * teacher + (1 - share) * student


declare(
    "M26", "fusion", kind="fusion", name="fusion of Teacher and Student",
    when={"environment.teacher.kind": "gradient", "environment.fusion.alpha": POSITIVE},
    equation="training: R_E = alpha R_T + (1 - alpha) R_S; unseen: R_E = R_S", shapes="r_T, r_S [E] -> r [E]",
    source="source document 001", off={"environment.fusion.alpha": 0.0},
    acts=frozenset({"training", "prediction_known"}), reads=frozenset({"cell_line"}),
)  # fmt: skip
declare(
    "M26", "fusion_ema", kind="fusion", name="fusion with the Student's average",
    when={"environment.teacher.kind": "ema", "environment.fusion.alpha": POSITIVE},
    equation="training: R_E = alpha R_T + (1 - alpha) R_S, R_T of the averaged Student; unseen: R_E = R_S",
    shapes="r_T, r_S [E] -> r [E]", source="source document 001", off={"environment.fusion.alpha": 0.0},
    acts=frozenset({"training", "prediction_known"}), reads=frozenset({"cell_line"}),
)  # fmt: skip
