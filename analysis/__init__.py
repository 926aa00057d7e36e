"""Schema of the store, metrics, warning rules, statistics and rankings. Imports neither torch nor Ray.

`analysis.load(folder)` opens a finished or running run for Python: its methods give data frames.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.loaded import LoadedRun, load

__all__ = ["LoadedRun", "load"]


def __getattr__(name: str) -> Any:
    """`load` and `LoadedRun` when they are asked for: a package that is only imported stays light."""
    if name not in __all__:
        raise AttributeError(f"module 'analysis' has no attribute '{name}'")
    from analysis import loaded

    return getattr(loaded, name)
