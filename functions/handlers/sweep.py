"""The sweep: redrives stalled jobs."""

from baton.handlers.sweep import handler

__all__ = ["handler"]
