"""What an account of the queue must have for a deployment, and how it gets it: `baton setup`, and `baton dev`."""
