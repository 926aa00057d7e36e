"""The schema of the store as a page of the documentation."""

from analysis.schema import TABLES

OPENING = """# The store

Made by `python -m analysis schema`; do not edit.

The schema of the store: every table, column, type, unit and meaning, in this one place.

A run is a folder

    RUN/logs/<config>-<fold>-<seed>.log          every row of one unit of the plan, the source of all files below
    RUN/<table>/<config>-<fold>-<seed>.parquet    one file per table of a unit that has ended
    RUN/<table>/part-<number>.parquet             many units that have ended, put together
    RUN/checkpoints/<config>-<fold>-<seed>/       what a unit goes on from: last.pt, and the weights that it reports
    RUN/baselines/<fold>.parquet                  baselines, once per fold
    RUN/pairs/<fold>.parquet                      how far apart the elements of evaluated pairs are, once per fold
    RUN/confirmation/                             a run by itself: what was chosen, run again (--confirm); its
                                                  confirmation.json says what, and when its test split was opened
    RUN/sequence/  RUN/screen/  RUN/trust/*/      runs by themselves, of a sweep with `fidelity`: sequence sides with their
                                                  features, the screen that promoted, and what it is judged by
    RUN/fidelity.json  RUN/trust.json             what such a run was trained on, and how far it agrees with full training
    RUN/sweep.yaml  RUN/provenance.json  RUN/plan.json  RUN/plan-added.jsonl
    RUN/preregistration.json                      what was asked before the first step; later starts add entries
    RUN/walk.json                                 of a path: the configurations that it took, step by step
    RUN/studies/<hash>.log                        what every configuration is and reached, as optuna-dashboard opens it
    RUN/code/<hash>.json                          modules of a code that units were made with
    RUN/shipped/<node>-<data>-<windows>-<id>.json   encoded data that a node of a cluster was sent, once each
    RUN/earlier/<stamp>/                          a run by itself: units of another stamp than the run's
    RUN/notes.json                                tags and a note (python -m harness.runs)
    RUN/export/<tracker>/                         what trackers got (python -m analysis export)
    RUN/report.html                               what a person reads of it (python -m analysis report)
    RUN/data_signs.json                           what the data report found in the data: flags and shortcuts
    RUN/import.json  RUN/predictors.json          of imported results: files and notes, intervals and differences
    RUN/use/<name>-<hash>.py                      files that a person brought to a start
    RUN/prefix/                                   phase 1 that several units share, until the last one has it
    RUN/driver.log  RUN/errors/  RUN/ray/         Ray's own words, tracebacks of failed units, what Ray Tune keeps
    RUN/run.json                                  the run's identity, whatever its folder is called
    RUN/combined.json                             the runs that a combined run was made of
    RUN/preregistrations/<number>-<name>/         what was asked of each of these before its first step

A log is appended to and never changed: one frame when the unit begins, one per epoch, and at its end those of the final
evaluation, the last of which says how it ended. A frame is a header (magic, schema version, kind, bytes of the payload,
SHA-256 of all that) and its payload: the epoch's rows of the small tables by column as JSON through zlib, with what
changed of the row of `units`; or a whole table (predictions, embeddings, pair_vectors) as an Arrow stream. A unit has
ended when its last frame says so; a log that names another unit than its file does is damaged and counts for nothing.
last.pt says how long the log was when it was written, and the hash of its frames: what stands after that is cut off when
the unit goes on, what is missing before it means that the unit starts again. It has the hash of the selected epoch's
checkpoint too.
A checkpoint is what torch.load reads, followed by its unit, its name and the SHA-256 of all that, verified when it is
loaded.

Rows of a unit that has no file in `units` yet are read from its log; a unit counts once: its own file before what parts
hold of it, a part before those of lower number, any of them before the log. Parquet that cannot be read is put aside
under its name with `.damaged` and made again from the logs, which are therefore kept. Every ended unit is in epochs,
terms, cells, warnings and units, with rows or without: where it is not, its log is read, and a start makes the file again.

Parquet and JSON are written under a name that starts with "." and then renamed, so that a reader sees a whole old
file or a whole new one, never half of one; readers ignore names that start with ".". A column that a writer
has no value for is null. Every table's Parquet metadata carries `schema_version` and the `table`; a store of another
version is refused, and a file of another table, or of other units than it names, is one that cannot be read.

A part is written whole before the files of its units are removed, so that a kill, or a reader in between, can meet a unit
twice, never not at all. A part's metadata name its units (`units`, JSON, those without rows included); a part is replaced
by a smaller one only where units are moved out of the run. In `cells` a part has one row group per combination of
`prevalence_mode`, `split` and `selection` (`groups`, JSON, in order), in `predictions` one per unit: a reader skips what
it does not need.

plan.json lists the configurations at its last writing; plan-added.jsonl one per line that were added since. An entry has
`id`, `changes` (dotted path -> value around the base) and `config`; of an arm of a design (docs/designs.md) also, where
there is something to say, `arm` (what a person calls it: "base", "without gcn"), `family` (base, removal, addition, A/A
placebo, capacity placebo, factorial, path: arms of one family are tested together, each against the arm whose family is
base), `mechanism` (the catalogue's keys that the arm is about: a removal and its capacity placebo have the same), `along`
(keys that go or come with it), `levels` (factor -> -1 or 1) and `note` (what stands in its place; "capacity not held").
"""


def page() -> str:
    """Markdown of the layout and of every table, column by column."""
    parts = [OPENING]
    for name, table in TABLES.items():
        parts.append(f"## {name}\n\n| column | type | meaning |\n|---|---|---|")
        rows = [f"| `{column.name}` | {column.type} | {_text(column.metadata[b'doc'])} |" for column in table]
        parts[-1] += "\n" + "\n".join(rows) + "\n"
    return "\n".join(parts)


def _text(doc: bytes) -> str:
    return doc.decode().replace("|", "\\|")
