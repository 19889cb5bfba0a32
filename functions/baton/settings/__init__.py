"""Settings: every environment variable, read once."""
