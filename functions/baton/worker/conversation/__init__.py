"""The part of a job's conversation that is sent to the model. The stored conversation never changes."""
