"""How requests to queue and store travel: shared requests, HTTP, Redis over REST or RESP, and their meter."""
