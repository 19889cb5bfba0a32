"""Sessions over HTTP: what was said in one, its memory, and chats, whose messages are jobs of it."""
