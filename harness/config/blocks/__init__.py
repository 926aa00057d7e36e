"""Typed blocks of a configuration, their checks, and sentences for mistakes in them."""
