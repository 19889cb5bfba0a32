"""API, console and pages."""

from baton.server.site import handler

__all__ = ["handler"]
