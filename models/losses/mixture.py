"""The prediction that knows the training cell lines, but not which of them a pair is of."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def mixture_logit(logits: Tensor, counts: Tensor) -> Tensor:
    """Logit of P_0(x) = mean over the lines c that count of sigmoid(l(x, c)), from logits alone.

    logits [C, ...], counts 0/1 that broadcasts to it -> [...]. 0 (P_0 = 1/2) where no line counts; else between the
    smallest and the largest logit of the lines that count. NaN of lines that do not count does not enter.
    """
    here = (counts > 0).expand_as(logits)
    none = logits.new_full((), -torch.inf)
    known = torch.where(here, logits, 0.0)
    yes, no = (torch.where(here, logsigmoid(sign * known), none).logsumexp(0) for sign in (1.0, -1.0))
    return torch.where(here.any(0), yes - no, 0.0)
