"""How often the warning rules are right: planted faults in doses, and healthy units (`python -m harness.validate`)."""
