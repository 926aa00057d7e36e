"""Runs for people in a terminal: list, show, trial, diff, tag, note, prune, combine, export-model. Imports no
Ray, and torch for export-model alone."""
