"""The operator's toolbox: Docker, PostgreSQL's tools and the transfer."""
