"""Text to vectors: the offline default, and models that users plug in (vector-rest.md 8)."""
