"""The sweep: replays stalled jobs."""

from baton.worker.handlers.sweep import handler

__all__ = ["handler"]
