"""Other people's results and predictions as runs of their own: `python -m analysis import` and `import-predictions`."""
