"""API, console and pages."""

from baton.site import handler

__all__ = ["handler"]
