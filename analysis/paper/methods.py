"""The methods paragraph of a run: folds, seeds, selection and tests, as they were and not as they were meant to be."""

import json
from collections.abc import Iterator

from analysis.arms import arms
from analysis.contrasts import AA, contrasts, factors
from analysis.criteria import criterion_of
from analysis.fidelity.record import read_fidelity
from analysis.fidelity.view import design_of
from analysis.flags import counts_against_health
from analysis.folds import MEASURED
from analysis.output import counted
from analysis.paper.tables import region
from analysis.preregistration import asked_before, preregistration
from analysis.ranking import Ranking
from analysis.schema import REPORTED_BY_OTHERS
from analysis.store import Run
from analysis.waterfall import FILE as WALK


def methods(ranking: Ranking) -> str:
    """One paragraph."""
    return " ".join(_sentences(ranking))


def _sentences(ranking: Ranking) -> Iterator[str]:
    run, rows = ranking.run, ranking.configurations
    yield from _folds(run)
    yield from _seeds(ranking)
    yield from _selection(ranking)
    most = int(rows["seeds"].max())
    if most > 1:
        yield (
            f"Intervals are 95 % Student t over {counted(most, 'seed')}, of which each is the mean over its folds; they "
            "hold for these cell lines and loci."
        )
    else:
        yield "One seed has no interval."
    if rows["folds"].max() > 1:
        yield (
            f"For a new cell line the first configuration has {rows['fold_low'].iloc[0]:.3f} to "
            f"{rows['fold_high'].iloc[0]:.3f} (corrected resampled t over folds, Nadeau and Bengio 2003; {MEASURED})."
        )
    else:
        yield "One fold does not say what holds for new cell lines."
    yield from _tests(ranking)
    against = ranking.findings[counts_against_health(ranking.findings)]
    yield (
        f"{against['config'].nunique()} of {counted(len(rows), 'configuration')} raised a warning that neither data nor "
        "sizes imply" + (f" ({', '.join(dict.fromkeys(against['rule']))})." if len(against) else ".")
    )
    if len(ranking.accused):
        yield f"{counted(len(ranking.accused), 'unit')} that the audit stopped are in no figure."
    yield from _software(ranking)


def _folds(run: Run) -> Iterator[str]:
    units = run.table("units")
    if (units["selection"] == REPORTED_BY_OTHERS).any():
        yield (
            f"Results are as others reported them, on {counted(units['fold'].nunique(), 'fold')}; what these held out of "
            "training is not known here."
        )
        return
    contents = {
        str(fold): json.loads(text)
        for fold, text in zip(units["fold"], units["fold_json"], strict=True)
        if isinstance(text, str) and text
    }
    contents |= run.folds()
    named = [contents[fold] for fold in dict.fromkeys(map(str, units["fold"])) if fold in contents]
    if not named:
        yield f"The store does not say what its {counted(units['fold'].nunique(), 'fold')} held out."
        return
    each = "; ".join(
        f"{fold['name']}: test {', '.join(fold['test'])}, validation {', '.join(fold['val'])}, chromosomes "
        f"{', '.join(fold['chromosomes'])}"
        for fold in named
    )
    yield (
        f"Models were trained and evaluated on {counted(len(named), 'fold')} ({each}): unseen cell lines are evaluated on "
        "chromosomes held out of training, so that neither the cell line nor the locus was trained on, and no training "
        "region overlaps or has the sequence of one that is evaluated."
    )


def _seeds(ranking: Ranking) -> Iterator[str]:
    rows, units = ranking.configurations, ranking.run.table("units")
    seeds = sorted({int(seed) for seed in units["seed"]})
    trained = counted(int(rows["units"].sum()), "unit")
    yield (
        f"{counted(len(rows), 'configuration')} ({_design(ranking.run)}) had "
        f"{counted(len(seeds), 'seed')} ({', '.join(map(str, seeds))}) per fold, {trained} in all"
        + ("." if rows["seeds"].min() == len(seeds) else f", at least {int(rows['seeds'].min())} in a row.")
    )
    if ranking.left_out:
        said = ", ".join(f"{count} {status}" for status, count in ranking.left_out.items())
        yield f"Not ranked: {said}."
    censored = int(rows["censored"].sum())
    if censored:
        yield f"{counted(censored, 'unit')} ended before the last epoch and count with what they reached."


def _design(run: Run) -> str:
    """The design, and of what a screen has promoted how many were screened."""
    record, name = read_fidelity(run), design_of(run) or "single"
    if record is None or not record.promoted:
        return name
    return f"{name}, the best of {record.of} that were screened on cached features"


def _selection(ranking: Ranking) -> Iterator[str]:
    units = ranking.run.table("units")
    objectives = [str(each) for each in dict.fromkeys(units["objective"].dropna()) if each]
    if (units["selection"] == REPORTED_BY_OTHERS).any():
        yield "Their weights are those that were reported; how they were selected is not known."
    elif objectives:
        yield f"Of each unit the epoch that was best by {' or '.join(objectives)} was evaluated."
    pairs = "the validation pairs that selected the epoch" if objectives else "the pairs of unseen cell lines"
    yield (
        f"Configurations are ranked by {ranking.by.label} on {pairs}, so that the "
        "figures of the first are overstated; test was used to select nothing"
        + (f" (selection regret {ranking.regret:.3f})." if ranking.regret == ranking.regret else ".")
    )
    if objectives and all(criterion_of(each).key != ranking.by.key for each in objectives):
        yield "The ranking is by another criterion than the epochs were selected by."


def _tests(ranking: Ranking) -> Iterator[str]:
    run, planned = ranking.run, arms(ranking.run)
    if len(ranking.configurations) > 1:
        yield (
            "Differences from the first are paired by fold and seed and turned so that positive is better: as good, where "
            f"their 95 % t-interval lies within ±{ranking.rope:g}; worse, where it lies on one side of 0; not told apart, "
            "elsewhere. They are not corrected for the number of configurations."
        )
    families = contrasts(planned)
    members = [each for family, some in families.items() if family != AA for each in some]
    known = preregistration(run)
    if members:
        relied = known if known and not known.tampered else None
        family = max(len(members), len(relied.names) if relied else 0)
        yield (
            f"Effects of arms are paired t-tests over seeds, of a family of {family} with Holm's correction; no effect: "
            f"two one-sided tests at 5 % within ±{region(ranking):g}."
        )
        if relied and criterion_of(relied.criterion).key != ranking.by.key:
            yield f"{ranking.by.label} is not the criterion that was preregistered: exploratory."
        if families.get(AA):
            yield "The A/A placebo, the base under other random numbers, is a family of its own."
    elif factors(planned.values()) or run.document(WALK):
        yield f"What its factors or steps did is not in this table (python -m analysis effects {run.path.name})."
    if known:
        state = (
            "was changed afterwards, and is not relied on" if known.tampered else f"is {known.sha256[:12]}"
        )
        yield f"The preregistration {state}."
    for asked in asked_before(run):
        if asked.lost is not None:
            yield f"{asked.lost}."


def _software(ranking: Ranking) -> Iterator[str]:
    run = ranking.run
    if ranking.mixture:
        yield f"{ranking.mixture.sentence().capitalize()}, because a person asked for it."
    units = run.table("units")
    codes = [str(each) for each in dict.fromkeys(units["code"].dropna()) if each]
    versions = [json.loads(each) for each in dict.fromkeys(units["versions"].dropna()) if each]
    if codes and versions:
        packages = ", ".join(f"{name} {number}" for name, number in versions[0].items() if number)
        also = "" if len(versions) == 1 else f" and {counted(len(versions) - 1, 'other set')} of versions"
        yield f"Code {', '.join(codes)}; {packages}{also}."
