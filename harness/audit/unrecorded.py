"""Keys that only a whole trial reads (support draws, evaluation, curriculum), and that nothing asked for."""

from harness.audit.keys import BLOCKS, ELSEWHERE, LATER
from harness.audit.settings import value_at
from harness.config.blocks.acting import unread
from harness.config.blocks.paths import leaves
from harness.config.blocks.reads import Reads


def unrecorded_keys(reads: Reads) -> list[str]:
    """Dotted paths of enabled keys that no perturbation of a step can show and that are not among the trial's reads; all
    of `limits` is one key. Empty where earlier reads were not kept.

    A read is an attribute that was asked for: a key whose value is read and then dropped is not listed.
    """
    if not reads.complete:
        return []
    config = reads.config
    paths = ["limits"] if config.limits and "limits" not in reads.seen else []
    for path in leaves():
        if path in reads.seen or path in ELSEWHERE or (path.startswith(BLOCKS) and path not in LATER):
            continue
        try:
            value = value_at(config, path)
        except AttributeError:
            continue  # the key of another variant
        if value not in (None, 0) and not unread(config, [path]):
            paths.append(path)
    return paths
