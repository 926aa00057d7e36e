"""Which way a sweep runs: in full, on cached features, or screened and promoted."""

from dataclasses import replace

from rich.console import Console

from analysis.errors import UserError
from analysis.fidelity.record import FEWEST, SCREEN
from harness.config.blocks.sweep import ScreenBlock
from harness.config.yaml.lines import read_yaml
from harness.shell.terminal import tell
from harness.sweep.confirming import run_confirmed
from harness.sweep.driver import run_sweep
from harness.sweep.options import Options
from harness.sweep.run.lock import refuse_running
from harness.sweep.screening import Cached, Promoting, Screen, TimeLeft, resumed, run_cached
from harness.sweep.sides import FOLDER
from harness.sweep.start import refuse_interrupted
from harness.sweep.task import Task
from harness.sweep.trusting import run_trust


def screens(options: Options) -> bool:
    """Whether the YAML or the command line speaks of a fidelity, before anything of them is checked."""
    asked = options.trust or any(
        text.partition("=")[0].strip().startswith("fidelity") for text in options.sets
    )
    return asked or (options.yaml.is_file() and "fidelity" in read_yaml(options.yaml).data)


def run_at_fidelity(options: Options, console: Console) -> int:
    """Run a sweep at the fidelity that its YAML asks for; the exit status as of `run_sweep`.

    Raises
    ------
    UserError
        as `run_sweep`; for options that a screen has no use for.
    """
    sweep = Task(options).load()
    fidelity = sweep.config.fidelity
    if fidelity == "full":
        if options.trust:
            raise UserError(
                "--trust: there is no screen to judge, since fidelity is full; give --set fidelity=cached"
            )
        return run_confirmed(options, console) if options.confirm else run_sweep(options, console)
    _refuse_options(options, fidelity)
    run, clock = Task(options).folder(sweep), TimeLeft(options)
    promotes = isinstance(fidelity, ScreenBlock)
    if not options.trust and not options.resume:
        # Now, and not once the parts before, which have ended, were looked at: a dry run comes no further.
        refuse_running(run)
        for part in (run, run / SCREEN) if promotes else (run,):
            refuse_interrupted(part)
            refuse_interrupted(part / FOLDER)
    screen = Screen(replace(options, out=run / SCREEN), sweep) if promotes else Cached(options)
    if options.trust:
        return run_trust(options, console, screen, fidelity)
    status = run_cached(screen, console)
    if not isinstance(fidelity, ScreenBlock):
        return status
    if status not in (0, 1):
        return status
    if options.dry_run:
        tell(
            console,
            f"then: the best {fidelity.promote} of these {fidelity.screen} configurations are trained in full",
        )
        return status
    return max(status, run_sweep(clock.left(resumed(options, run)), console, Promoting(options, run, sweep)))


def _refuse_options(options: Options, fidelity: object) -> None:
    for name, asked in (("--budget", options.budget is not None), ("--pilot", options.pilot is not None)):
        if asked:
            raise UserError(
                f"{name}: it plans the seeds of contrasts in full training, and fidelity screens: leave it out, or give "
                "--set fidelity=full"
            )
    if options.trust and options.trials is not None:
        raise UserError(f"--trials: --trust compares {FEWEST} configurations; leave --trials out")
    if options.confirm:
        raise UserError(
            "--confirm: what was chosen on cached features is not confirmed; train it in full first, in a sweep with "
            "fidelity: full (--set fidelity=full)"
        )
    if isinstance(fidelity, ScreenBlock) and options.trials is not None:
        raise UserError(
            "--trials: fidelity.screen says how many configurations are screened; --set fidelity.screen=N"
        )
