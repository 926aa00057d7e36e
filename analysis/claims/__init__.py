"""Falsifiable predictions of source document 004: what a run's store says of each, supported, refuted or undecided."""
