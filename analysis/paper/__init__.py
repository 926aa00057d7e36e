"""A run as a paper prints it: tables and a methods paragraph, in Markdown or LaTeX (`python -m analysis table`)."""
