"""How much of a job's conversation is sent to the model. What is stored never changes, only what is sent."""
