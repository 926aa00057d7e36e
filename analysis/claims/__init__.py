"""Falsifiable predictions of seed 004: what a run's store says of each, supported, refuted or undecided."""
