"""What an endpoint really is: addresses, certificate, sessions, server, role."""
