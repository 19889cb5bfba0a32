"""Serving the application over TCP."""

from baton_local.qstash.serving.foreground import serve

__all__ = ["serve"]
