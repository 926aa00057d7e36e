"""The answer of a run in two sentences: what came out, and how far it is decided."""

import json
import math
from dataclasses import dataclass, replace

from analysis.arms import base
from analysis.audit_view import GRAVEST, QUIET_VERDICTS, verdicts_of
from analysis.confirmation.figures import Confirmation
from analysis.contrast_rows import ContrastRow, ContrastRows
from analysis.labels import first_settings
from analysis.report.material import Material, number, signed
from analysis.verdict import faults_of, verdict

NAMED = 3
"""Arms that a sentence names; of more it says how many."""
WORDS = ("better", "worse", "no effect", "unknown")


@dataclass(frozen=True)
class Answer:
    """`state` (undecided, decided, within or alone), two sentences, and `alerts`: what a reader must not miss beside the
    number: baselines that nothing is above or that are not behind on test, faults of what came first, and what of it the
    audit did not find at work."""

    state: str
    result: str
    certainty: str
    alerts: tuple[str, ...] = ()


def answer(material: Material) -> Answer:
    """Of a design with contrasts what they say, of any other run what the ranking says; from numbers that the sections
    show."""
    told, confirmed = material.contrasts, material.confirmation
    if told is not None and told.tested:
        config = base(material.run)
        return replace(_of_contrasts(told, material), alerts=_alerts(material, config))
    if confirmed is not None and confirmed.opened:
        config = str(confirmed.winner["config"])
        return replace(_of_confirmation(confirmed, material), alerts=_faults(material, config))
    return replace(_of_ranking(material), alerts=_alerts(material, str(material.rows["config"].iloc[0])))


def _alerts(material: Material, config: str | None) -> tuple[str, ...]:
    """Of a run that is judged by its ranking: where the baselines are, then what speaks against `config`."""
    told, text = verdict(material.ranking), material.texts
    said = {"baseline": told.best, "value": number(told.value), "n": told.baselines}
    way = "" if material.ranking.by.higher_is_better else "_lower"
    known = []
    if told.below_every:
        known = [text(f"answer.below_every{way}", name=_first(material), **said)]
        known += [text("answer.reached", baseline=", ".join(told.reached))] if told.reached else []
    elif told.none_above:
        known = [text(f"answer.none_above{way}", **said)]
    return (*known, *_behind_on_test(material, config), *_faults(material, config))


def _behind_on_test(material: Material, config: str | None) -> tuple[str, ...]:
    if config not in material.places:
        return ()
    told, name = verdict(material.ranking, config), _brief(material, str(config))
    if not told.behind_on_test:
        return ()
    best = {"baseline": told.test_best, "value": number(told.test_value), "own": number(told.tested)}
    return (material.texts("answer.behind_on_test", name=name, **best),)


def _faults(material: Material, config: str | None) -> tuple[str, ...]:
    """The faults of a ranked configuration, and which of its mechanisms its audits did not find at work."""
    if config not in material.places:
        return ()
    text, said = material.texts, []
    rules, name = faults_of(material.ranking, str(config)), _called(material, str(config))
    if rules:
        said.append(
            text("answer.fault", n=text.count("fault", len(rules)), name=name, rules=text.listed(rules))
        )
    audit = material.run.table("audit")
    rows = verdicts_of(audit[audit["config"] == config])
    rows = rows[rows["id"] != "-"]
    parts = [
        text(f"answer.audit_{verdict}", names=text.listed(rows.loc[rows["verdict"] == verdict, "mechanism"]))
        for verdict in GRAVEST
        if verdict not in QUIET_VERDICTS and (rows["verdict"] == verdict).any()
    ]
    if parts:
        judged = text.count("mechanism", len(rows))
        name = _brief(material, str(config))
        said.append(text("answer.audit", name=name, n=judged, verdicts=text("page.semicolon").join(parts)))
    return tuple(said)


def _first(material: Material) -> str:
    return _called(material, str(material.rows["config"].iloc[0]))


def _called(material: Material, config: str) -> str:
    """`#1 energy=gated (b76c2b)`."""
    place, label = material.named(config)
    return f"{place} {first_settings(label)} ({material.short[config]})"


def _brief(material: Material, config: str) -> str:
    """`#1 (b76c2b)`, beside sentences that have its name in full."""
    return f"#{material.places[config]} ({material.short[config]})"


def _of_ranking(material: Material) -> Answer:
    text, rows = material.texts, material.rows
    best, seeds = rows.iloc[0], text.count("seed", int(rows["seeds"].iloc[0]))
    if math.isnan(best["low"]):
        interval = text("answer.no_interval", seeds=seeds)
    else:
        interval = text("answer.interval", low=number(best["low"]), high=number(best["high"]), seeds=seeds)
    if not math.isnan(best["fold_low"]):
        ends = {"low": number(best["fold_low"]), "high": number(best["fold_high"])}
        interval += text("answer.interval_folds", **ends, folds=text.count("fold", int(best["folds"])))
    others = material.ranking.counts.configurations - len(rows)
    result = text(
        "answer.best" if len(rows) > 1 else "answer.only_of" if others else "answer.only",
        n=text.count("configuration", len(rows) + (others if len(rows) == 1 else 0)),
        name=_first(material),
        criterion=material.ranking.by.label,
        value=number(best["value"]),
        where=_where(material),
        interval=interval,
        baseline=_beside_baseline(material),
    )
    confirmed = _confirmed(material)
    if (rows["tie"] != "apart").sum() == 1:
        return Answer(
            "alone",
            result,
            text("answer.single_of" if others or len(rows) > 1 else "answer.single", confirmed=confirmed),
        )
    if math.isnan(best["low"]):
        return Answer("undecided", result, text("answer.one_seed", confirmed=confirmed))
    return _against_others(material, result, confirmed)


def _where(material: Material) -> str:
    """The unseen cell lines that a ranking is of: the name of a single one."""
    folds = material.run.table("units")["fold_json"].dropna().unique()
    lines = {str(line) for fold in folds for line in json.loads(fold)["val"]}
    if len(lines) == 1:
        return material.texts("answer.one_line", line=lines.pop())
    return material.texts("answer.several_lines")


def _of_confirmation(told: Confirmation, material: Material) -> Answer:
    """The confirmed number alone, and whether the winner is above the best baseline and told apart from its ties."""
    text, row, record = material.texts, told.winner, told.record
    result = text(
        "answer.result_confirmed",
        name=first_settings(text.said(str(row["label"]))),
        criterion=told.by.label,
        value=number(row["confirmed"]),
        low=number(row["low"]),
        high=number(row["high"]),
        seeds=text.count("seed", int(row["seeds"])),
    )
    low, high = row["over_baseline_low"], row["over_baseline_high"]
    state, beside = "undecided", text("answer.no_baseline")
    if not math.isnan(low):
        key = "above" if low > 0 else "below" if high < 0 else "unclear"
        state = "undecided" if key == "unclear" else "decided"
        base = number(told.baseline["confirmed"])
        beside = text(f"answer.confirmed_{key}", baseline=record.baseline, value=base)
    optimism = text("answer.optimism", optimism=signed(row["optimism"]), selected=number(row["selected"]))
    ties = int((told.rows["tie"] == "unknown").sum())
    if ties:
        state = "undecided"
    rivals = text("answer.still_tied", n=ties) if ties else ""
    return Answer(state, result, f"{beside}{rivals}{optimism}")


def _against_others(material: Material, result: str, confirmed: str) -> Answer:
    text, rows = material.texts, material.rows
    others = rows.iloc[1:][rows["tie"].iloc[1:] != "apart"]
    open_ones = int(others["tie"].isin(["unknown", "better"]).sum())
    asked = others[others["tie"].isin(["unknown", "better"])] if open_ones else others
    nearest = asked.iloc[int(asked["difference"].abs().fillna(math.inf).to_numpy().argmin())]
    span = ""
    if not math.isnan(nearest["difference_low"]):
        low, high = (signed(nearest[f"difference_{end}"]) for end in ("low", "high"))
        span = text("answer.span", low=low, high=high)
    equal = int((others["tie"] == "equal").sum())
    key, state = ("leads", "decided")
    if open_ones:
        key, state = ("rivals", "undecided")
    elif equal:
        key, state = ("equal", "within")
    certainty = text(
        f"answer.{key}" if len(others) > 1 or key == "leads" else f"answer.{key}_one",
        others=open_ones or equal,
        of=text.count("other", len(others)),
        difference=signed(nearest["difference"]) or text("answer.unpaired"),
        span=span,
        rope=f"{material.ranking.rope:g}",
        confirmed=confirmed,
    )
    return Answer(state, result, certainty)


def _beside_baseline(material: Material) -> str:
    """Where the best baseline is: beyond the interval, or within it; empty where an alert says that all are ahead."""
    told = verdict(material.ranking)
    if not told.beside or told.below_every or told.none_above:
        return ""
    way = "" if material.ranking.by.higher_is_better or told.beside == "unclear" else "_lower"
    return material.texts(f"answer.{told.beside}{way}", baseline=told.best, value=number(told.value))


def _of_contrasts(told: ContrastRows, material: Material) -> Answer:
    text, rows = material.texts, told.tested
    counts = []
    for word in WORDS:
        names = [row.name for row in rows if row.verdict == word]
        if names:
            named = text("answer.named", names=text.listed(names)) if len(names) <= NAMED else ""
            key = f"answer.{word.replace(' ', '_')}"
            counts.append(text(key, n=len(names), names=named, rope=f"{told.rope:g}"))
    result = text(
        "answer.contrasts",
        n=text.count("contrast", len(rows)),
        criterion=told.by.label,
        counts=text.listed(counts),
    )
    decided = sum(row.verdict != "unknown" for row in rows)
    state = "decided" if decided == len(rows) else "undecided"
    measured = [row for row in rows if math.isfinite(row.interval.mean)]
    if not measured:
        return Answer(state, result, "")
    return Answer(state, result, _largest(max(measured, key=lambda row: abs(row.interval.mean)), material))


def _largest(row: ContrastRow, material: Material) -> str:
    text, interval = material.texts, row.interval
    span = ""
    if not math.isnan(interval.low):
        low, high, seeds = signed(interval.low, 4), signed(interval.high, 4), text.count("seed", interval.n)
        span = text("answer.change_span", low=low, high=high, seeds=seeds)
    return text(
        "answer.largest",
        name=row.name,
        change=signed(interval.mean, 4),
        span=span,
        verdict=text(f"answer.verdict_{row.verdict.replace(' ', '_')}"),
        confirmed=_confirmed(material),
    )


def _confirmed(material: Material) -> str:
    """What fresh seeds on another fold made of what was chosen, or that nobody asked them."""
    text, told = material.texts, material.confirmation
    if told is None or not told.opened:
        return text("answer.unconfirmed")
    row = told.winner
    return text(
        "answer.confirmed",
        name=first_settings(text.said(str(row["label"]))),
        value=number(row["confirmed"]),
        low=number(row["low"]),
        high=number(row["high"]),
        seeds=text.count("seed", int(row["seeds"])),
        optimism=signed(row["optimism"]),
    )
