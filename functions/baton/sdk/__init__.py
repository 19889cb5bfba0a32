"""What users write with: agents, tools, models, memory, plans, MCP servers. Knows no engine and no store."""
