"""Which device trials run on: one question for the model's size, Ray's resources and torch alike."""

from dataclasses import dataclass
from pathlib import Path

import torch

from analysis.errors import UserError

GPU_SHARE = 0.25
"""Share of a GPU that a configuration gets where there is one and nothing is said."""


@dataclass(frozen=True)
class Device:
    """`gpus` that torch can use, the `share` of one that each configuration gets (0: it runs on the CPU), and a
    sentence for a person where there are GPUs that cannot be used."""

    gpus: float
    share: float
    sentence: str | None = None

    @property
    def gpu(self) -> bool:
        return self.share > 0

    @property
    def name(self) -> str:
        """As torch names it."""
        return "cuda" if self.gpu else "cpu"


def choose_device(*, cluster_gpus: float | None = None, share: float | None = None) -> Device:
    """GPUs of the cluster that was joined, or of this machine (`cluster_gpus` None), if this torch can use them.

    A cluster's workers run the same torch as the driver, whose own machine need not have a GPU: there the build
    decides. `share` is what was asked for (None: `GPU_SHARE`; 0: the CPU whatever there is).

    Raises
    ------
    UserError
        for a share of a GPU where none can be used: Ray would wait for one for ever.
    """
    there = float(_local_gpus()) if cluster_gpus is None else cluster_gpus
    can = torch.cuda.is_available() if cluster_gpus is None else _built_for_gpus()
    usable = (float(torch.cuda.device_count()) if cluster_gpus is None else there) if can else 0.0
    sentence = None
    if there and not usable:
        where = f"this {'machine' if cluster_gpus is None else 'cluster'} has {there:g} GPU{'s' if there > 1 else ''}"
        why = "can use none of them" if _built_for_gpus() else "is built for the CPU alone"
        sentence = f"{where}, and torch {torch.__version__} {why}: the CPU is used"
    if share and not usable:
        raise UserError(
            f"resources.gpus_per_trial is {share:g}, and {sentence or 'there is no GPU here'}; "
            "leave it out or set it to 0"
        )
    return Device(usable, 0.0 if not usable else GPU_SHARE if share is None else share, sentence)


def exact_float32() -> None:
    """Have a GPU multiply float32 as float32: its convolutions would round to 10 bits of mantissa (TF32) by default."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def _built_for_gpus() -> bool:
    return torch.version.cuda is not None or torch.version.hip is not None


def _local_gpus() -> int:
    """GPUs that the system knows of, whatever torch was built for."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
