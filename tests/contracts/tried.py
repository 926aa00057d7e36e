"""Mistakes in what the classes of docs/adding.md give, of which the sweep is told as its classes are tried."""

from tests.contracts.mistakes import Mistake

TRIED = {
    "a loss of many numbers": Mistake(
        "my_terms",
        ".square().mean(), state",
        ".square(), state",
        "loss term mine returns as its value a tensor of shape [4, 6] and float32, expected a tensor of shape []",
        "class Mine(",
    ),
    "a loss that is a float": Mistake(
        "my_terms", ".mean(), state", ".mean().item(), state", "returns as its value a float", "class Mine("
    ),
    "a loss that is no number": Mistake(
        "my_terms",
        ".mean(), state",
        ".mean() * float('nan'), state",
        "is nan on a step of ordinary numbers",
        "class Mine(",
    ),
    "a loss without a state": Mistake(
        "my_terms", ".mean(), state", ".mean()", "expected the pair (value, state)", "class Mine("
    ),
    "a loss that forgets its state": Mistake(
        "my_terms",
        ".mean(), state",
        ".mean(), {'seen': step.logit}",
        "has the state {'seen': [4, 6]} after a step, expected that of its initial state, {}",
        "class Mine(",
    ),
    "a read that is not declared": Mistake(
        "my_terms",
        "(step.logit / self.scale)",
        "(step.u / self.scale)",
        "loss term mine reads u of a step, and declares to read logit",
        "return (step.u",
    ),
    "a loss that ends the process": Mistake(
        "my_terms",
        "        return (step.logit",
        "        raise SystemExit(0)\n        return (step.logit",
        "loss term 'mine' cannot be used, SystemExit: 0",
        "raise SystemExit",
    ),
    "a loss that changes the dtype": Mistake(
        "my_terms",
        "        self.scale = scale",
        "        self.scale = scale\n        __import__('torch').set_default_dtype(__import__('torch').float64)",
        "loss term 'mine' changes torch's default dtype",
        "class Mine(",
    ),
    "a loss that draws": Mistake(
        "my_terms",
        ".square().mean(), state",
        ".square().mean() * (1 + 0 * __import__('torch').rand(())), state",
        "loss term 'mine' draws from torch's random state or seeds it",
        "class Mine(",
    ),
    "a loss that seeds": Mistake(
        "my_terms",
        "        return (step.logit",
        "        __import__('torch').manual_seed(0)\n        return (step.logit",
        "expected a generator of its own, models.streams.generator(step.seed, KEY, step.index)",
        "class Mine(",
    ),
    "a loss of its own clock": Mistake(
        "my_terms",
        ".mean(), state",
        ".mean() + 1e-3 * (__import__('time').perf_counter() % 10), state",
        "loss term 'mine' gives another value when it is called again with the same",
        "class Mine(",
    ),
    "an energy that draws": Mistake(
        "my_energy",
        "return u * (-r / self.length).exp() / temperature",
        "return u * (-r / self.length).exp() / temperature + 1e-3 * __import__('torch').rand(())",
        "energy form 'screened' gives another value when it is called again with the same",
        "class Screened(",
    ),
    "an energy of the number of pairs": Mistake(
        "my_energy",
        "return u * (-r / self.length).exp() / temperature",
        "return u * (-r / self.length).exp() / temperature * (0.5 if u.shape[1] > 8 else 1.0)",
        "energy form 'screened' gives a pair another logit among 48 pairs than among 6",
        "class Screened(",
    ),
    "an id of the project's": Mistake(
        "my_energy",
        'id="X02"',
        'id="M09"',
        "energy form 'screened' has the id M09, as the project's own",
        "class Screened(",
    ),
    "logits of another shape": Mistake(
        "my_energy",
        "return u * (-r / self.length).exp() / temperature",
        "return (u * (-r / self.length).exp() / temperature).sum(-1)",
        "gives a tensor of shape [4] and float32 as its logit, expected [4, 6] of float32",
        "class Screened(",
    ),
    "an order of no truth values": Mistake(
        "my_energy",
        "return everywhere(r)",
        "return r",
        "as strictly_increasing, expected [4, 1] of bool",
        "class Screened(",
    ),
    "z_E of another shape": Mistake(
        "my_encoder",
        ".amax(-2))",
        ")",
        "gives a tensor of shape [4, 5, 3] and float32 as z_E, expected [4, 3]",
        "class Largest(",
    ),
    "episodes of none": Mistake(
        "my_sampler",
        "range(self.steps)",
        "range(0)",
        "sampler Even yields 0 of the 2 steps of an epoch",
        "class Even(",
    ),
    "episodes of another shape": Mistake(
        "my_sampler",
        "np.repeat(cells[:, None], self.query, axis=1)",
        "cells",
        "expected query_cell of the shape of query",
        "class Even(",
    ),
    "a balance without its answer": Mistake(
        "my_balance",
        "return Combined(router.gradients(now, boundary), now, state)",
        "return router.gradients(now, boundary)",
        "balance 'fading' combines to a dict, expected Combined(gradients, terms, state)",
        "class Fading(",
    ),
    "a condition of one truth value": Mistake(
        "my_rule",
        'values["loss"] > limits[self.id])',
        "True)",
        "warning rule still_high: its condition gives broken = True, expected a mask of shape (1,)",
        "class StillHigh(",
    ),
}
"""Said before anything is written."""
