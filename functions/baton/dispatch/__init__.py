"""What comes from the queue and goes to it: deliveries, events to publish, and what they cost."""
