"""The HTTP surface: from a request's bytes to plans and searches, and back to JSON."""
