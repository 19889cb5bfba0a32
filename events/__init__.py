"""What happens to a job: wire events, the pure core, and the ports to the outside."""
