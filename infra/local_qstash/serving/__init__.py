"""Serving the application over TCP."""

from infra.local_qstash.serving.foreground import serve

__all__ = ["serve"]
