"""An Upstash-Vector-compatible HTTP server for development and tests: one dense index, cosine, filters, raw text.

Written from the public behaviour (spec vector-rest.md).
It shares no code with what it stands in for: neither the official SDK nor our own packages are imported here.
"""
