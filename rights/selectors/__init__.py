"""What is read of requests."""
