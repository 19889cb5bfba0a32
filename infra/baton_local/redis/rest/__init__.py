"""The REST API: HTTP in, commands run, replies out."""
