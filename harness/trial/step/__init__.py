"""One optimiser step: trainer, routing, balance, schedule."""
