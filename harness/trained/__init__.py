"""Weights that a run keeps, with all that scoring needs beside them; no data that they were trained on."""
