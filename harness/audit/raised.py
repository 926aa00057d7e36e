"""What an error that is raised inside the audit says of the thing that is judged: a finding, and no end of the process."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from harness.trial.inspection import NOT_A_NUMBER, Subject
from harness.trial.step.diverged import diverging

RAISED = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What a clone, a twin or a score may raise that is no mistake of a user's and no divergence."""
MACHINE = (torch.OutOfMemoryError, torch.AcceleratorError)
"""Of these, what the machine is at fault for."""
Answer = TypeVar("Answer")


def answered(subject: Subject, ask: Callable[[], Answer], accuse: Callable[[str], Answer]) -> Answer:
    """What `ask` gives, or where it raises one of RAISED what `accuse` makes of the error in a sentence.

    Raises Diverged where the trainer's numbers are not finite, and the error itself where it names such a number or where
    the machine is at fault.
    """
    try:
        with diverging(subject.trainer.weights):
            return ask()
    except RAISED as error:
        if isinstance(error, MACHINE) or NOT_A_NUMBER.search(str(error)):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(str(error).split())
        where = f"{Path(place.filename).name} line {place.lineno}"
        return accuse(f"asked by the audit, it raised {type(error).__name__}: {said} ({where})")
