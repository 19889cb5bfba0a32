"""Serving the application over TCP."""
