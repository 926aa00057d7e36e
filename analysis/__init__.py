"""Schema of the store, metrics, warning rules, statistics and rankings. Imports neither torch nor Ray.

`analysis.load(folder)` opens a finished or running run for Python: its methods give data frames.
"""

import sys

from analysis.loading import end_at_ctrl_c

end_at_ctrl_c()

from importlib import import_module  # noqa: E402 - Ctrl-C has its word before anything else is loaded
from typing import Any  # noqa: E402

__all__ = ["LoadedRun", "load"]

if sys.flags.optimize > 1:
    print(
        "error: docstrings are part of what this program says, and python -OO leaves them out: unset PYTHONOPTIMIZE, or "
        "set it to 1",
        file=sys.stderr,
    )
    raise SystemExit(2)


def __getattr__(name: str) -> Any:
    """`load` and `LoadedRun` when they are asked for: a package that a trial imports for its rules stays light, and what
    views import is no part of a result's code."""
    if name not in __all__:
        raise AttributeError(f"module 'analysis' has no attribute '{name}'")
    return vars(import_module("analysis.loaded"))[name]
