"""The language of metadata filters (vector-rest.md 7)."""
