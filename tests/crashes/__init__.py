"""Every write boundary of the store is crashed: `python -m tests.crashes` for all of them, or those that are named."""
