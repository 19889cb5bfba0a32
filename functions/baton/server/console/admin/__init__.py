"""Pages of the deployment: its admission, tools, usage, agents and audit log."""
