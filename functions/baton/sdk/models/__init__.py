"""The model protocol, and the models that need no provider."""
