"""Isolated routing adds the sequence side to the groups of every term.

Contrast, prototypes and sparsity of the environment shape z_I and U_I as under shared routing. The check of the routes
asks the same function, and finds nothing.
"""
PRESET = "rp22"
SET = {}
from harness.trial.step.routing import Router

_reach_of = Router.reach_of


def reach_of(self, term):
    return _reach_of(self, term) | {"S"}


Router.reach_of = reach_of
