"""The HTTP surface: requests in, JSON out; no decision about messages is made here."""
