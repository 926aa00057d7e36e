"""Mutants: lines of the product that are wrong on purpose, each of which the tests have to notice."""
