"""What answers: API, console, chat page, protocols, and the ways in from Lambda and ASGI servers."""
