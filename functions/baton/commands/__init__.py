"""What is asked of jobs from outside: submit, cancel, retry, delete, complete, schedule, follow."""
