"""Predictions of new pairs with trained units, for people who want scores and their spread."""
