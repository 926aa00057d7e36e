"""The errors of `analysis.errors` under the harness' name: one class, so that every command line catches it."""

from analysis.errors import UserError, nearest, run_cli, shorten

__all__ = ["UserError", "nearest", "run_cli", "shorten"]
