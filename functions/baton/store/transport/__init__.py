"""The transport of requests to queue and store: shared requests, HTTP, Redis over REST or RESP, and their meter."""
