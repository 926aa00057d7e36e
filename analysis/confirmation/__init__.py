"""What a selection chose, run again on fresh seeds and on a fold that it did not use: chosen, recorded, read and shown."""
