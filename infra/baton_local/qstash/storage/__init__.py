"""What is on disk: one SQLite file per data folder."""
