"""Following a job as it goes on: who is woken, and how often is looked."""
