"""`python -m harness.sweep YAML`: run a sweep."""

from analysis.errors import run_cli
from harness.shell.terminal import console
from harness.sweep.at_fidelity import run_at_fidelity, screens
from harness.sweep.confirming import run_confirmed
from harness.sweep.driver import run_sweep
from harness.sweep.options import parse


def main() -> int:
    options = parse()
    if screens(options):
        return run_at_fidelity(options, console())
    return run_confirmed(options, console()) if options.confirm else run_sweep(options, console())


if __name__ == "__main__":
    run_cli(main, stores=True)
