"""Sending attempts to destinations over HTTP."""
