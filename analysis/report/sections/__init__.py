"""What a report is made of, one file per section."""
