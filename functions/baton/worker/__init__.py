"""One delivery, one command: what a message or a request does to a job."""
