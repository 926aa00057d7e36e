from analysis.loaded import LoadedRun as LoadedRun
from analysis.loaded import load as load

__all__ = ["LoadedRun", "load"]
