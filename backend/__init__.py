"""What the application imports at run time: configuration, sessions, models."""
