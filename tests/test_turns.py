"""Work that arrives together leaves room for what arrives after it."""

import asyncio

from archnest.turns import Turns

EACH_ROUND = 3


async def test_no_round_does_more_than_its_share_and_nobody_is_passed() -> None:
    turns = Turns(EACH_ROUND)
    done: list[int] = []
    in_rounds: list[int] = []

    async def work(number: int) -> None:
        await turns.take()
        done.append(number)

    async def other_client() -> None:
        while len(done) < 20:
            before = len(done)
            await asyncio.sleep(0)
            in_rounds.append(len(done) - before)

    await asyncio.gather(*(work(number) for number in range(20)), other_client())
    assert done == list(range(20))
    assert max(in_rounds) <= EACH_ROUND


async def test_one_who_leaves_keeps_nobody_waiting() -> None:
    turns = Turns(1)
    tasks = [asyncio.create_task(turns.take()) for _ in range(4)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [task.cancelled() for task in tasks] == [False, False, True, False]
    await asyncio.wait_for(turns.take(), 5)
