"""Other protocols over the same use cases as the API: AG-UI, A2A, MCP, and the chat routes of the first documents."""
