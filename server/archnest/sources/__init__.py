"""Hosts whose Docker Engine the server asks itself."""
