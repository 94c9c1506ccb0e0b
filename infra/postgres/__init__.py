"""PostgreSQL: client-tool command lines, connections, inventory, TimescaleDB facts."""
