"""The threshold of F1, precision and recall is chosen on the split that it is applied to.

Test rows have the best threshold of the test pairs, so that F1 leaks; only validation rows are right.
"""
PRESET = "minimal"
SET = {}
import harness.trial.score.evaluate as evaluate

_by_cell = evaluate.by_cell


def by_cell(logit, label, names, *, threshold_logit=None, prevalence=None, **options):
    if threshold_logit is not None:
        threshold_logit = evaluate.best_f1_threshold(logit, label, prevalence)
    return _by_cell(logit, label, names, threshold_logit=threshold_logit, prevalence=prevalence, **options)


evaluate.by_cell = by_cell
