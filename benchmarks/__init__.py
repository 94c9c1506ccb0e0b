"""What prints the performance figures."""
