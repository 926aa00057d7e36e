"""What the folder of a run holds beside its tables: plan, verdicts, locks, earlier runs; and what it says of its units."""
