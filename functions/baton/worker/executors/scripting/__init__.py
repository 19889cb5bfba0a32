"""Scripts of a model, run stretch by stretch: code mode."""
