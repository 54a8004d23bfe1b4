"""Reports that were refused: when, from where and why.

Kept in memory and within bounds: an agent that is still refused after a
restart says so again within its interval.
"""

from collections import OrderedDict
from dataclasses import dataclass

from archnest.model.agent_token import Refusal
from archnest.timestamps import rfc3339

MAX_OF_HOSTS = 2_000
MAX_OF_STRANGERS = 200
MAX_DETAIL = 500

_Key = tuple[str | None, str | None, str]


@dataclass(slots=True)
class _Refused:
    detail: str
    count: int
    first_at: float
    last_at: float


class Refusals:
    """The latest ones. Those who show no host's token cannot push out what a host did."""

    def __init__(self) -> None:
        self._of_hosts: OrderedDict[_Key, _Refused] = OrderedDict()
        self._of_strangers: OrderedDict[_Key, _Refused] = OrderedDict()

    def note(
        self, host_id: str | None, address: str | None, kind: str, detail: str, now: float
    ) -> None:
        """A report was refused now, unix seconds; `host_id` only when a token proved it."""
        kept, most = (
            (self._of_strangers, MAX_OF_STRANGERS)
            if host_id is None
            else (self._of_hosts, MAX_OF_HOSTS)
        )
        key = (host_id, address, kind)
        refused = kept.setdefault(key, _Refused("", 0, now, now))
        refused.detail = detail[:MAX_DETAIL]
        refused.count += 1
        refused.last_at = now
        kept.move_to_end(key)
        if len(kept) > most:
            kept.popitem(last=False)

    def forget(self, host_id: str) -> None:
        """Drop what a host's tokens did."""
        for key in [key for key in self._of_hosts if key[0] == host_id]:
            del self._of_hosts[key]

    def all(self) -> list[Refusal]:
        """All that are kept, the latest first."""
        kept = [*self._of_hosts.items(), *self._of_strangers.items()]
        kept.sort(key=lambda item: item[1].last_at, reverse=True)
        return [
            Refusal(
                host_id,
                address,
                kind,
                refused.detail,
                refused.count,
                rfc3339(refused.first_at),
                rfc3339(refused.last_at),
            )
            for (host_id, address, kind), refused in kept
        ]
