"""What an error that is raised inside the audit says of the thing that is judged: a finding, and no end of the process."""

import contextlib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.catalogue import configured
from harness.trial.inspection import NOT_A_NUMBER, Subject
from harness.trial.step.diverged import diverging

RAISED = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What a clone, a twin or a score may raise that is no mistake of a user's and no divergence."""
MACHINE = (torch.OutOfMemoryError, torch.AcceleratorError)
"""Of these, what the machine is at fault for."""
Answer = TypeVar("Answer")


class NotInDoubleError(RuntimeError):
    """A mechanism cannot be computed again in float64; the message is the whole sentence."""


def answered(subject: Subject, ask: Callable[[], Answer], accuse: Callable[[str], Answer]) -> Answer:
    """What `ask` gives, or where it raises one of RAISED what `accuse` makes of the error in a sentence.

    Raises Diverged where the trainer's numbers are not finite, and the error itself where it names such a number or where
    the machine is at fault.
    """
    try:
        with diverging(subject.trainer.weights):
            return ask()
    except NotInDoubleError as error:
        return accuse(str(error))
    except RAISED as error:
        if _is_no_fault(error):
            raise
        return accuse(f"asked by the audit, it raised {_said(error)}")


@contextlib.contextmanager
def again_in_double(config: ConfigurationBlock) -> Iterator[None]:
    """Raise NotInDoubleError, which names the mechanism, in place of an error of RAISED that a clone in float64 raises."""
    try:
        yield
    except RAISED as error:
        if _is_no_fault(error):
            raise
        name = _mechanism(error, config)
        raise NotInDoubleError(f"{name} cannot be computed again in float64: {_said(error)}") from error


def _mechanism(error: BaseException, config: ConfigurationBlock) -> str:
    """The innermost configured mechanism whose code the error came through, else the innermost module by its class."""
    rows = [(row.key, row.cls) for row in configured(config.model_dump()) if row.cls is not None]
    callers = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [caller for caller in reversed(callers) if isinstance(caller, nn.Module)]
    named = (key for module in modules for key, cls in rows if isinstance(module, cls))
    return next(named, type(modules[0]).__name__ if modules else "the step")


def _is_no_fault(error: Exception) -> bool:
    """Whether the machine is at fault, or a number that is not finite."""
    return isinstance(error, MACHINE) or NOT_A_NUMBER.search(str(error)) is not None


def _said(error: Exception) -> str:
    """The error in one line, and where it came up."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said} ({Path(place.filename).name} line {place.lineno})"
