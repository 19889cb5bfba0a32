"""AG-UI: runs of agents as events that front ends of this protocol read."""
