"""Structs only: what agents send, what is stored and what readers get."""
