"""Sessions over HTTP: their conversation, their memory, and chats, whose messages are jobs of a session."""
