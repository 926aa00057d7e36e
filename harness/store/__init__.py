"""The files of a run folder: written, mended, compacted and moved."""
