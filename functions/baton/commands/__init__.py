"""What is asked of jobs from outside, a verb a file: submit, cancel, retry, delete, complete, schedule."""
