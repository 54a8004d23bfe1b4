"""Who gives way when all bodies together hold too much."""

import asyncio

import pytest

from archnest.bodies import Bodies
from archnest.errors import Overloaded

MOST = 800


async def arrive(bodies: Bodies, size: int) -> None:
    """Hold so much and wait for more until given up."""
    with bodies.holding() as held:
        async with bodies.waiting(held):
            bodies.grow(held, size)
            await asyncio.Event().wait()


async def arriving(bodies: Bodies, *sizes: int) -> list[asyncio.Task[None]]:
    """One task for each size, in this order."""
    tasks = [asyncio.create_task(arrive(bodies, size)) for size in sizes]
    await asyncio.sleep(0)
    return tasks


async def settled(tasks: list[asyncio.Task[None]]) -> list[bool]:
    """Which of them were given up; the others are ended."""
    await asyncio.wait(tasks, timeout=0.1)
    given_up = [task.done() for task in tasks]
    for task in tasks:
        if task.done():
            assert isinstance(task.exception(), Overloaded)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return given_up


async def test_the_largest_gives_way_to_the_small() -> None:
    bodies = Bodies(MOST)
    assert await settled(await arriving(bodies, 10, 500, 290, 10)) == [False, True, False, False]
    assert bodies.total == 0


async def test_who_is_the_largest_is_refused_itself() -> None:
    bodies = Bodies(MOST)
    assert await settled(await arriving(bodies, 300, 300, 400)) == [False, False, True]
    assert bodies.total == 0


async def test_what_is_being_worked_on_is_not_given_up() -> None:
    bodies = Bodies(MOST)
    with bodies.holding() as worked_on, bodies.holding() as other:
        bodies.grow(worked_on, 700)
        with pytest.raises(Overloaded):
            bodies.grow(other, 200)
        bodies.grow(worked_on, -100)
    assert bodies.total == 0


async def test_long_ones_have_their_place_one_by_one_and_may_be_given_up_before() -> None:
    bodies = Bodies(MOST)
    inside = 0

    async def work(size: int) -> None:
        nonlocal inside
        with bodies.holding() as held:
            bodies.grow(held, size)
            async with bodies.place(held):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0.05)
                inside -= 1

    tasks = [asyncio.create_task(work(size)) for size in (300, 300, 100, 200)]
    done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [type(one) for one in done] == [type(None), Overloaded, type(None), type(None)]
    assert bodies.total == 0
