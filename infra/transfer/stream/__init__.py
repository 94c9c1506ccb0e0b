"""The stream: rows straight from one database to another."""
