"""What every command line shares: the console, and types of arguments."""
