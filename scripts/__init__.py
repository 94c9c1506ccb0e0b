"""What runs outside the application: the bootstrap and the containers' entrypoints."""
