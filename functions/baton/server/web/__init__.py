"""The code that runs in a browser: a client of the API in JavaScript, and a page that chats with an agent."""
