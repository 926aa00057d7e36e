"""Pairs, folds, the encoded store and the synthetic truth."""
