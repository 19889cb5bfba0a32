"""How much of a job's conversation is told to the model. What is stored never changes, only what is told."""
