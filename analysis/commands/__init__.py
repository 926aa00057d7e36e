"""Commands of `python -m analysis` that look at one run, one file each."""
