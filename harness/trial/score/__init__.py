"""Scores of splits and the rows made of them."""
