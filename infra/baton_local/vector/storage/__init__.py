"""What is on disk: one folder with a lock, a token and one SQLite file."""
