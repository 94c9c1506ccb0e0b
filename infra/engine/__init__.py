"""Docker: Compose and client-tool command lines, image builds, container facts."""
