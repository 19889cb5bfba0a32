"""What an agent thinks with: the model protocol and the models that need no provider."""
