"""Hosts whose containers come, go and are made anew, whose machines restart and are copied."""

import random
import re
import uuid

import msgspec

from archnest.timestamps import rfc3339
from bench.load import request
from bench.reports import AGENT, GENERATIONS, Reports

NAMES = 3
"""A container that is made anew takes one of so many names, so that some are gone and return."""
REMADE, RESTARTED, COPIED = 0.02, 0.002, 0.001
"""How often a report is the first after a container was made anew, or after the machine

was started; and how often it comes from a copy of the machine.
"""

_NAME = re.compile(rb'"name":"([^"]+)"')


class _Sent(msgspec.Struct):
    engine: msgspec.Raw
    containers: list[msgspec.Raw]


class Host:
    """One host; each report is a little newer than the last."""

    def __init__(self, host_id: str, reports: Reports, number: int, chance: random.Random) -> None:
        self.host_id = host_id
        self._random = chance
        bodies = [
            msgspec.json.decode(reports.body(number, one), type=_Sent) for one in range(GENERATIONS)
        ]
        self._engine = bodies[0].engine
        self._containers = [[bytes(one) for one in body.containers] for body in bodies]
        self._generation = number
        self._boot_id = str(uuid.UUID(int=chance.getrandbits(128)))
        self._copy = str(uuid.UUID(int=chance.getrandbits(128)))
        self._remade: dict[bytes, tuple[bytes, bytes]] = {}

    def push(self, now: float) -> bytes:
        """The request with its next report."""
        self._generation += 1
        if self._random.random() < RESTARTED:
            self._boot_id = str(uuid.UUID(int=self._random.getrandbits(128)))
        boot_id = self._copy if self._random.random() < COPIED else self._boot_id
        containers = self._containers[self._generation % GENERATIONS]
        if self._random.random() < REMADE:
            self._remake(self._random.choice(containers))
        head = {
            "hostId": self.host_id,
            "hostname": self.host_id,
            "agentVersion": "1",
            "reportedAt": rfc3339(now),
            "engine": self._engine,
            "marks": {"bootId": boot_id},
        }
        body = b'%b,"containers":[%b]}' % (
            msgspec.json.encode(head)[:-1],
            b",".join(map(self._as_it_is, containers)),
        )
        return request("POST", "/api/agents/docker/report", AGENT, body)

    def _remake(self, container: bytes) -> None:
        identity = b"%064x" % self._random.getrandbits(256)
        self._remade[_id(container)] = (identity, b"-%d" % self._random.randrange(NAMES))

    def _as_it_is(self, container: bytes) -> bytes:
        remade = self._remade.get(_id(container))
        if remade is None:
            return container
        identity, suffix = remade
        # Its variables change too, so that nothing of it was seen before.
        container = container.replace(b"a value of usual length, 7", b"a value of " + identity, 1)
        container = _NAME.sub(
            lambda found: b'"name":"%b%b"' % (found[1], suffix), container, count=1
        )
        return container.replace(_id(container), identity, 1)


def _id(container: bytes) -> bytes:
    """A container's JSON begins with its id."""
    return container[7:71]
