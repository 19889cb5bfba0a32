"""The commands about jobs from outside: submit, cancel, retry, delete, complete, schedule, follow."""
