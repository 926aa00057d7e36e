"""A router that differentiates each loss term of a step once, however often it is asked for that term alone."""

from collections.abc import Sequence

from harness.trial.step.routing import Boundary, Gradients, Router, WeightedTerm


class RememberingRouter(Router):
    """Routes as `like` does. What a term alone gives is kept for the step, and scaled where its weight is another one then:
    a balance that asks for every term, and the shares that are measured after it, go backward once."""

    def __init__(self, like: Router) -> None:
        groups = {
            group: {f"{number}": parameter for number, parameter in enumerate(members)}
            for group, members in like.groups.items()
        }
        super().__init__(groups, "shared" if like.shared else "isolated")
        self.like = like
        self._alone: dict[str, tuple[WeightedTerm, Gradients]] = {}

    def gradients(self, terms: Sequence[WeightedTerm], boundary: Boundary) -> Gradients:
        if len(terms) != 1 or terms[0].weight == 0.0:
            return self.like.gradients(terms, boundary)
        (term,) = terms
        kept = self._alone.get(term.name)
        if kept is None or kept[0].value is not term.value:
            kept = self._alone[term.name] = (term, self.like.gradients(terms, boundary))
        if kept[0].weight == term.weight:
            return kept[1]
        factor = term.weight / kept[0].weight
        return {parameter: factor * gradient for parameter, gradient in kept[1].items()}
