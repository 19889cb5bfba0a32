"""A2A 1.0: agents as servers of tasks, for agents and programs elsewhere."""
