"""Names of SSH hosts and of their keys; pure, and without what speaks SSH."""

import base64
import hashlib
import re
from dataclasses import dataclass

DEFAULT_PORT = 22
HOST_NAME = r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?"
"""A regular expression; what has no such form cannot be looked up."""


@dataclass(frozen=True, slots=True)
class SshAddress:
    """`user@host:port` in its parts."""

    user: str
    host: str
    port: int

    @property
    def url(self) -> str:
        """As aiodocker takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{self.user}@{host}:{self.port}"


def ssh_address(text: str) -> SshAddress:
    """The parts of user@host or user@host:port; raises ValueError for anything else."""
    host = rf"(?:\[([0-9A-Fa-f:.%a-z]+)\]|({HOST_NAME}))"
    match = re.fullmatch(rf"([A-Za-z0-9._-]+)@{host}(?::([0-9]{{1,5}}))?", text)
    if match is None or not 0 < int(match[4] or DEFAULT_PORT) < 65536:
        raise ValueError("address: the form is user@host or user@host:port")
    return SshAddress(match[1], match[2] or match[3], int(match[4] or DEFAULT_PORT))


def fingerprint(stored: str) -> str:
    """Of such a line, as `ssh-keygen -l` shows it."""
    digest = hashlib.sha256(base64.b64decode(stored.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
