"""Sample agents, which run if `BATON_APP` names no other application. They need no account."""
