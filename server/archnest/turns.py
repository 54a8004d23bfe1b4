"""Lets only so much work run between two looks at the network.

A thousand reports that arrive together would else be worked through in one
go, and a person's poll would wait for all of them.
"""

import asyncio
from collections import deque


class Turns:
    """Hands out so many turns in each round of the event loop, first come, first served."""

    def __init__(self, each_round: int) -> None:
        self._each_round = each_round
        self._left = each_round
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_counting = False

    @property
    def is_behind(self) -> bool:
        """Whether somebody waits for a turn."""
        return bool(self._waiting)

    async def take(self) -> None:
        """Return when it is this caller's turn."""
        if not self._is_counting:
            self._is_counting = True
            asyncio.get_running_loop().call_soon(self._begin_round)
        if self._left and not self._waiting:
            self._left -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _begin_round(self) -> None:
        self._left = self._each_round
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
        self._is_counting = bool(self._waiting)
        if self._is_counting:
            asyncio.get_running_loop().call_soon(self._begin_round)
