"""Runs for people in a terminal: list, show, trial, diff, tag, note, prune, combine. Imports neither torch nor Ray."""
