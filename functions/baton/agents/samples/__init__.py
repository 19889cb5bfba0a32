"""Sample agents, which run where `BATON_APP` names no other application. They need no account."""
