"""A configuration or unit of a run by what a person writes for it; and what it is called."""

from analysis.arms import arms
from analysis.chosen import chosen
from analysis.store import Run


def chosen_unit(run: Run, text: str) -> tuple[str, str | None]:
    """The configuration that `text` stands for (`analysis.chosen`), or that of the unit whose name it is
    (CONFIG-FOLD-SEED) with that name."""
    units = run.table("units")
    names = units["config"] + "-" + units["fold"] + "-" + units["seed"].astype(str)
    of = dict(zip(names, units["config"], strict=True))
    return (str(of[text]), text) if text in of else (chosen(run, text), None)


def titled(run: Run, config: str) -> str:
    """The name of the configuration's arm and its identity; that alone in a design without arms."""
    arm = arms(run).get(config)
    return f"{arm.name} ({config})" if arm else config
