"""A QStash-compatible HTTP server for development and tests, written from the public behaviour (spec qstash.md).

It shares no code with what it stands in for: neither the official SDK nor our own packages are imported here.
"""
