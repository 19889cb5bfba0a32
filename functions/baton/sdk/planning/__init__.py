"""Plans: steps of tool calls that refer to each other's results, written by an agent's author or by a model."""
