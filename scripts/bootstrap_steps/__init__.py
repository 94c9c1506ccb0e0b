"""The steps of scripts/bootstrap.py; they run before any library is installed."""
