"""ArchNest: Docker monitoring that agents push to."""

from importlib.metadata import version

__version__ = version("archnest")
