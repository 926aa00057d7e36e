"""What decides a unit's numbers beside configuration, fold and seed."""
