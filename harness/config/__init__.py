"""Typed configuration: the blocks of a trial, of the data and of a sweep."""
