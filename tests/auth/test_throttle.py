"""Guessing gets slow, nobody is locked out for good, and nothing grows without end."""

import contextlib
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archnest.auth import throttle as module
from archnest.auth.throttle import LIMITS, Throttle, subjects
from archnest.errors import TooManyAttempts, WrongCredentials
from archnest.store.database import Database
from archnest.store.login_failures import all_failures
from tests.auth.conftest import NOW

DAY_S = 86_400.0
HOME = ip_address("192.0.2.1")
AWAY = ip_address("198.51.100.1")
Address = IPv4Address | IPv6Address


class UndecidedError(Exception):
    """A try that turned out neither right nor wrong."""


@pytest.fixture
async def throttle(database: Database) -> Throttle:
    return Throttle(database)


async def fail(
    throttle: Throttle, username: str | None, address: Address, now: float, times: int = 1
) -> None:
    for _ in range(times):
        with pytest.raises(WrongCredentials):
            async with throttle.attempt(subjects(username, address), now):
                raise WrongCredentials("wrong")


async def succeed(throttle: Throttle, username: str, address: Address, now: float) -> None:
    async with throttle.attempt(subjects(username, address), now):
        pass


async def wait_of(
    throttle: Throttle, username: str | None, address: Address | None, now: float
) -> int:
    """Seconds that a further try has to wait; 0 when it is let in."""
    try:
        async with throttle.attempt(subjects(username, address), now):
            raise UndecidedError
    except UndecidedError:
        return 0
    except TooManyAttempts as refusal:
        return refusal.retry_after_s or -1


async def hammer(throttle: Throttle, username: str, now: float, addresses: int) -> None:
    """Fail from many addresses, as often as the name's own count lets anyone in."""
    for number in range(addresses):
        with contextlib.suppress(TooManyAttempts, WrongCredentials):
            guesser = IPv4Address("203.0.113.0") + number
            async with throttle.attempt(subjects(username, guesser), now):
                raise WrongCredentials("wrong")


async def test_five_failures_are_free(throttle: Throttle) -> None:
    await fail(throttle, "ada", HOME, NOW, times=4)
    assert await wait_of(throttle, "ada", HOME, NOW) == 0
    await fail(throttle, "ada", HOME, NOW)
    assert await wait_of(throttle, "ada", HOME, NOW) == 2


async def test_each_further_failure_doubles_the_wait_up_to_a_quarter_of_an_hour(
    throttle: Throttle,
) -> None:
    now, waits = NOW, []
    await fail(throttle, "ada", HOME, now, times=5)
    for _ in range(14):
        waits.append(await wait_of(throttle, "ada", HOME, now) - 1)
        now += waits[-1]
        await fail(throttle, "ada", HOME, now)
    assert waits[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert set(waits[10:]) == {900}


@given(st.integers(0, 2**63), st.sampled_from(sorted(LIMITS)))
def test_no_number_of_failures_makes_anyone_wait_longer_than_a_quarter_of_an_hour(
    failures: int, kind: str
) -> None:
    assert 0 <= LIMITS[kind].wait_s(failures) <= 900


async def test_failures_are_forgotten_a_day_after_the_last(throttle: Throttle) -> None:
    await fail(throttle, "ada", HOME, NOW, times=5)
    assert await wait_of(throttle, "ada", HOME, NOW) > 0
    await fail(throttle, "ada", HOME, NOW + DAY_S + 1, times=4)
    assert await wait_of(throttle, "ada", HOME, NOW + DAY_S + 1) == 0


async def test_tries_under_way_count_as_failures(throttle: Throttle) -> None:
    tried = subjects("ada", HOME)
    async with contextlib.AsyncExitStack() as under_way:
        for _ in range(5):
            await under_way.enter_async_context(throttle.attempt(tried, NOW))
        assert await wait_of(throttle, "ada", HOME, NOW) > 0
        assert await wait_of(throttle, "ada", AWAY, NOW) == 0
    assert await wait_of(throttle, "ada", HOME, NOW) == 0


async def test_after_a_wait_only_one_try_is_let_in_at_a_time(throttle: Throttle) -> None:
    await fail(throttle, "ada", HOME, NOW, times=5)
    async with throttle.attempt(subjects("ada", HOME), NOW + 2):
        assert await wait_of(throttle, "ada", HOME, NOW + 2) > 0


async def test_a_try_that_could_not_be_checked_is_not_counted(throttle: Throttle) -> None:
    for _ in range(30):
        assert await wait_of(throttle, "ada", HOME, NOW) == 0


async def test_a_right_password_forgets_the_accounts_failures(
    throttle: Throttle, database: Database
) -> None:
    await fail(throttle, "ada", HOME, NOW, times=4)
    await succeed(throttle, "ada", HOME, NOW)
    await fail(throttle, "ada", HOME, NOW, times=4)
    assert await wait_of(throttle, "ada", HOME, NOW) == 0
    assert (await all_failures(database))["pair:ada@192.0.2.1"] == (4, NOW)


async def test_an_own_account_does_not_reset_the_count_of_its_address(throttle: Throttle) -> None:
    for number in range(20):
        await succeed(throttle, "mallory", HOME, NOW)
        await fail(throttle, f"victim{number}", HOME, NOW)
    assert await wait_of(throttle, "victim", HOME, NOW) > 0


async def test_trying_many_names_from_one_address_has_to_wait(throttle: Throttle) -> None:
    for number in range(20):
        assert await wait_of(throttle, "ada", HOME, NOW) == 0
        await fail(throttle, f"name{number}", HOME, NOW)
    assert await wait_of(throttle, "ada", HOME, NOW) > 0
    assert await wait_of(throttle, "ada", AWAY, NOW) == 0


async def test_guessing_one_name_from_many_addresses_has_to_wait(throttle: Throttle) -> None:
    await hammer(throttle, "ada", NOW, addresses=50)
    assert await wait_of(throttle, "ada", AWAY, NOW) > 0
    assert await wait_of(throttle, "mel", AWAY, NOW) == 0


async def test_a_hammered_name_makes_others_wait_for_half_a_minute_at_most(
    throttle: Throttle,
) -> None:
    for hour in range(20):
        await hammer(throttle, "ada", NOW + hour, addresses=50)
    assert await wait_of(throttle, "ada", AWAY, NOW + 20) <= 31


async def test_where_the_owner_was_signed_in_a_hammered_name_costs_no_wait(
    throttle: Throttle,
) -> None:
    await succeed(throttle, "ada", HOME, NOW)
    await hammer(throttle, "ada", NOW + 60, addresses=50)
    assert await wait_of(throttle, "ada", AWAY, NOW + 60) > 0
    assert await wait_of(throttle, "ada", HOME, NOW + 60) == 0


async def test_where_the_owner_was_signed_in_guessing_has_to_wait_all_the_same(
    throttle: Throttle,
) -> None:
    await succeed(throttle, "ada", HOME, NOW)
    await fail(throttle, "ada", HOME, NOW, times=5)
    assert await wait_of(throttle, "ada", HOME, NOW) > 0


async def test_an_address_stays_known_through_a_restart_and_for_a_month(
    throttle: Throttle, database: Database
) -> None:
    await succeed(throttle, "ada", HOME, NOW)
    for later, is_free in ((29 * DAY_S, True), (31 * DAY_S, False)):
        restarted = Throttle(database)
        await restarted.load(NOW + later)
        await hammer(restarted, "ada", NOW + later, addresses=50)
        assert (await wait_of(restarted, "ada", HOME, NOW + later) == 0) is is_free


async def test_counts_survive_a_restart(throttle: Throttle, database: Database) -> None:
    await fail(throttle, "ada", HOME, NOW, times=5)
    restarted = Throttle(database)
    await restarted.load(NOW)
    assert await wait_of(restarted, "ada", HOME, NOW) == 2


async def test_a_start_deletes_what_is_forgotten(throttle: Throttle, database: Database) -> None:
    await fail(throttle, "ada", HOME, NOW)
    await succeed(throttle, "mel", HOME, NOW)
    await Throttle(database).load(NOW + 31 * DAY_S)
    assert await all_failures(database) == {}


async def test_invented_names_do_not_fill_the_disk(
    throttle: Throttle, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SUBJECTS", 30)
    for number in range(50):
        await fail(throttle, f"{number}" * 200, HOME + number, NOW)
    kept = await all_failures(database)
    assert len(kept) == 30
    assert max(len(subject) for subject in kept) < 100
    assert f"address:{HOME + 49}" in kept


async def test_an_address_that_keeps_failing_is_not_pushed_out_by_names_it_invents(
    throttle: Throttle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SUBJECTS", 10)
    for number in range(20):
        await fail(throttle, f"invented{number}", HOME, NOW)
    assert await wait_of(throttle, "one more", HOME, NOW) > 0


async def test_known_addresses_do_not_fill_the_disk_either(
    throttle: Throttle, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_KNOWN", 5)
    for number in range(9):
        await succeed(throttle, "ada", HOME + number, NOW)
    assert list(await all_failures(database)) == [f"known:ada@{HOME + n}" for n in range(4, 9)]


async def test_signing_in_again_writes_nothing(throttle: Throttle, database: Database) -> None:
    await succeed(throttle, "ada", HOME, NOW)
    before = database.commits
    await succeed(throttle, "ada", HOME, NOW + 60)
    assert database.commits == before


async def test_a_clock_set_back_does_not_turn_a_short_wait_into_a_long_one(
    throttle: Throttle,
) -> None:
    await fail(throttle, "ada", HOME, NOW, times=5)
    assert await wait_of(throttle, "ada", HOME, NOW - DAY_S) == 2
    assert await wait_of(throttle, "ada", HOME, NOW - DAY_S + 2) == 0


async def test_all_addresses_of_an_ipv6_customer_count_as_one(throttle: Throttle) -> None:
    await fail(throttle, "ada", ip_address("2001:db8::1"), NOW, times=5)
    assert await wait_of(throttle, "ada", ip_address("2001:db8::ffff:2"), NOW) > 0
    assert await wait_of(throttle, "ada", ip_address("2001:db8:0:1::1"), NOW) == 0


async def test_a_names_case_makes_no_other_name_of_it(throttle: Throttle) -> None:
    await fail(throttle, "ada", HOME, NOW, times=3)
    await fail(throttle, "ADA", HOME, NOW, times=2)
    assert await wait_of(throttle, "Ada", HOME, NOW) > 0


async def test_a_try_without_a_name_counts_for_its_address_alone(throttle: Throttle) -> None:
    await fail(throttle, None, HOME, NOW, times=20)
    assert await wait_of(throttle, None, HOME, NOW) > 0
    assert await wait_of(throttle, None, AWAY, NOW) == 0


async def test_an_unknown_address_is_no_way_around_the_wait(throttle: Throttle) -> None:
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            async with throttle.attempt(subjects("ada", None), NOW):
                raise WrongCredentials("wrong")
    assert await wait_of(throttle, "ada", None, NOW) > 0


async def test_forgiving_an_account_forgets_its_failures_and_no_others(
    throttle: Throttle, database: Database
) -> None:
    for name in ("ada", "ada@home", "mel"):
        for address in (HOME, AWAY):
            await fail(throttle, name, address, NOW, times=5)
    await throttle.forgive("Ada")
    restarted = Throttle(database)
    await restarted.load(NOW)
    elsewhere = ip_address("203.0.113.1")
    for one in (throttle, restarted):
        assert await wait_of(one, "ada", elsewhere, NOW) == 0
        assert await wait_of(one, "ada@home", elsewhere, NOW) > 0
        assert await wait_of(one, "mel", elsewhere, NOW) > 0
