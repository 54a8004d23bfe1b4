"""A token is worth something only while the session it names is alive."""

import asyncio
import base64
import json
import time
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from archnest.auth import sessions as module
from archnest.auth.sessions import Sessions
from archnest.config import Config
from archnest.errors import StoreUnavailable
from archnest.store.database import Database
from archnest.store.users import UserRow, change_user, delete_user, insert_user
from tests.auth.conftest import NOW, QUICK, locked

ANY_TEXT = st.text(st.characters(exclude_categories=()))


async def begin(sessions: Sessions, user: UserRow, now: float | None = None) -> str:
    started = await sessions.start(user, time.time() if now is None else now)
    assert started is not None
    return started[0]


async def stored(database: Database) -> set[str]:
    return {row["id"] for row in await database.read("SELECT id FROM sessions")}


def id_of(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


def resigned(token: str, secret: bytes | None, algorithm: str = "HS256", **changes: Any) -> str:
    """The same claims with some changed or, where None, left out."""
    claims = jwt.decode(token, options={"verify_signature": False}) | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    # PyJWT itself refuses to write some of what a forger would.
    parts = [{"alg": algorithm, "typ": "JWT"}, kept]
    signed = ".".join(unpadded(json.dumps(part).encode()) for part in parts)
    if secret is None:
        return f"{signed}."
    signer = jwt.get_algorithm_by_name(algorithm)
    return f"{signed}.{unpadded(signer.sign(signed.encode(), signer.prepare_key(secret)))}"


def unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture
def secret(config: Config) -> bytes:
    assert config.jwt_secret is not None
    return config.jwt_secret


async def test_a_token_names_its_session(sessions: Sessions, ada: UserRow) -> None:
    session = sessions.find(await begin(sessions, ada))
    assert session is not None
    assert (session.user_id, session.username, session.role) == (ada.id, "ada", "admin")
    assert session.expires_at == session.created_at + 3600


async def test_a_token_tells_neither_name_nor_role(sessions: Sessions, ada: UserRow) -> None:
    claims = jwt.decode(await begin(sessions, ada), options={"verify_signature": False})
    assert set(claims) == {"sub", "jti", "iat", "exp"}
    assert claims["sub"] == str(ada.id)


async def test_our_own_resigning_of_a_token_is_taken(
    sessions: Sessions, ada: UserRow, secret: bytes
) -> None:
    assert sessions.find(resigned(await begin(sessions, ada), secret)) is not None


@pytest.mark.parametrize("claim", ["exp", "iat", "sub", "jti"])
async def test_a_token_without_a_claim_is_refused(
    sessions: Sessions, ada: UserRow, secret: bytes, claim: str
) -> None:
    assert sessions.find(resigned(await begin(sessions, ada), secret, **{claim: None})) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": 1},
        {"sub": "2"},
        {"sub": ["1"]},
        {"jti": "another"},
        {"jti": 7},
        {"exp": "soon"},
        {"exp": 1},
        {"exp": [9]},
        {"exp": int(NOW) * 10**9, "jti": {}},
        {"nbf": 10**12},
    ],
    ids=str,
)
async def test_a_token_with_a_wrong_claim_is_refused(
    sessions: Sessions, ada: UserRow, secret: bytes, changes: dict[str, Any]
) -> None:
    assert sessions.find(resigned(await begin(sessions, ada), secret, **changes)) is None


async def test_a_token_signed_otherwise_is_refused(
    sessions: Sessions, ada: UserRow, secret: bytes
) -> None:
    token = await begin(sessions, ada)
    assert sessions.find(resigned(token, b"x" * 64)) is None
    assert sessions.find(resigned(token, secret, "HS512")) is None
    assert sessions.find(resigned(token, None, "none")) is None
    assert sessions.find(resigned(token, None, "HS256")) is None


async def test_one_users_session_is_no_others(
    sessions: Sessions, ada: UserRow, mel: UserRow, secret: bytes
) -> None:
    token = resigned(await begin(sessions, mel), secret, jti=id_of(await begin(sessions, ada)))
    assert sessions.find(token) is None


async def test_a_secret_that_is_too_short_signs_nothing(database: Database, ada: UserRow) -> None:
    with pytest.raises(jwt.exceptions.InvalidKeyError):
        await Sessions(b"x" * 31, 3600, database).start(ada, NOW)


async def test_a_token_ends_with_its_time_even_if_it_was_taken_before(
    sessions: Sessions, ada: UserRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await begin(sessions, ada)
    assert sessions.find(token) is not None
    later = time.time() + 3600
    monkeypatch.setattr(module.time, "time", lambda: later)
    assert sessions.find(token) is None


async def test_a_clock_set_back_ends_no_session(sessions: Sessions, ada: UserRow) -> None:
    assert sessions.find(await begin(sessions, ada, now=time.time() + 600)) is not None


async def test_an_ended_session_stays_ended(
    sessions: Sessions, ada: UserRow, database: Database
) -> None:
    token, other = await begin(sessions, ada), await begin(sessions, ada)
    assert sessions.find(token) is not None
    await sessions.end(id_of(token))
    assert sessions.find(token) is None
    assert sessions.find(other) is not None
    await sessions.load(time.time())
    assert sessions.find(token) is None
    assert await stored(database) == {id_of(other)}


async def test_an_end_that_was_refused_is_an_end_and_is_written_by_itself(
    sessions: Sessions,
    ada: UserRow,
    config: Config,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "END_AGAIN_S", 0.01)
    token = await begin(sessions, ada)
    async with sessions.running():
        async with locked(database, config):
            with pytest.raises(StoreUnavailable):
                await sessions.end(id_of(token))
            assert sessions.find(token) is None
        async with asyncio.timeout(10):
            while await stored(database):
                await asyncio.sleep(0.01)
    assert sessions.find(token) is None


async def test_an_end_that_was_refused_is_written_at_the_latest_when_the_server_stops(
    sessions: Sessions, ada: UserRow, config: Config, database: Database
) -> None:
    token = await begin(sessions, ada)
    async with sessions.running(), locked(database, config):
        with pytest.raises(StoreUnavailable):
            await sessions.end(id_of(token))
    assert await stored(database) == set()


async def test_sessions_survive_a_restart(
    sessions: Sessions, ada: UserRow, database: Database, secret: bytes
) -> None:
    token = await begin(sessions, ada)
    restarted = Sessions(secret, 3600, database)
    assert restarted.find(token) is None
    await restarted.load(time.time())
    session = restarted.find(token)
    assert session is not None
    assert (session.username, session.role) == ("ada", "admin")


async def test_a_start_deletes_expired_sessions(
    sessions: Sessions, ada: UserRow, database: Database
) -> None:
    await begin(sessions, ada, NOW)
    await begin(sessions, ada, NOW + 60)
    await sessions.load(NOW + 3630)
    assert len(await stored(database)) == 1


async def test_a_sign_in_deletes_expired_sessions(
    sessions: Sessions, ada: UserRow, mel: UserRow, database: Database
) -> None:
    await begin(sessions, ada, NOW)
    newer = await begin(sessions, mel, NOW + 3600)
    assert await stored(database) == {id_of(newer)}


async def test_one_session_too_many_ends_the_users_oldest(
    sessions: Sessions,
    ada: UserRow,
    mel: UserRow,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_PER_USER", 3)
    start = time.time()
    others = await begin(sessions, mel, start - 60)
    tokens = [await begin(sessions, ada, start + number) for number in range(4)]
    assert [sessions.find(token) is not None for token in tokens] == [False, True, True, True]
    assert sessions.find(others) is not None
    assert await stored(database) == {id_of(token) for token in [others, *tokens[1:]]}


async def test_a_renewed_session_ends_later_and_its_old_token_does_not(
    sessions: Sessions, ada: UserRow, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    old = await begin(sessions, ada, start)
    renewed = await sessions.renew(id_of(old), start + 1800)
    assert renewed is not None
    new, session = renewed
    assert (id_of(new), session.expires_at) == (id_of(old), start + 1800 + 3600)
    monkeypatch.setattr(module.time, "time", lambda: start + 3601)
    assert sessions.find(old) is None
    assert sessions.find(new) == session
    await sessions.load(start + 3601)
    assert sessions.find(new) is not None


async def test_no_renewal_makes_a_session_last_for_ever(
    sessions: Sessions, ada: UserRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    session_id = id_of(await begin(sessions, ada, start))
    monkeypatch.setattr(module, "LONGEST_S", 3600 + 100)
    ends = []
    for later in (50, 3000, 3500):
        renewed = await sessions.renew(session_id, start + later)
        assert renewed is not None
        ends.append(round(renewed[1].expires_at - start))
    assert ends == [3650, 3700, 3700]


async def test_an_ended_session_is_not_renewed(sessions: Sessions, ada: UserRow) -> None:
    token = await begin(sessions, ada)
    await sessions.end(id_of(token))
    assert await sessions.renew(id_of(token), time.time()) is None
    assert await sessions.renew("never heard of", time.time()) is None


async def test_no_session_starts_for_an_account_that_changed_meanwhile(
    sessions: Sessions, ada: UserRow, mel: UserRow, database: Database
) -> None:
    await insert_user(database, "eve", "admin", QUICK.hash("other password"), NOW)
    assert await sessions.start(replace(mel, password_hash="an older one"), NOW) is None
    await change_user(database, "ada", "member", None)
    assert await sessions.start(ada, NOW) is None
    await delete_user(database, "mel")
    assert await sessions.start(mel, NOW) is None
    assert await stored(database) == set()


async def test_remembered_signatures_do_not_fill_the_memory(
    sessions: Sessions, ada: UserRow, secret: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_VERIFIED", 5)
    token = await begin(sessions, ada)
    for number in range(20):
        assert sessions.find(resigned(token, secret, nonce=number)) is not None
        assert len(sessions._verified) <= 5
    for number in range(20):
        sessions.find(f"garbage {number}")
    assert not any(token.startswith("garbage") for token in sessions._verified)


async def test_no_garbage_is_a_session(sessions: Sessions, ada: UserRow, secret: bytes) -> None:
    token = await begin(sessions, ada)
    head, payload, signature = token.split(".")

    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=300)
    @given(ANY_TEXT)
    @example("")
    @example("..")
    @example(f"{head}..{signature}")
    @example(f"{token}.")
    @example("a" * 5_000)
    @example(f"{unpadded(b'[' * 1_000)}.{payload}.{signature}")
    def check(text: str) -> None:
        for forged in (
            text,
            f"{text}.{payload}.{signature}",
            f"{head}.{text}.{signature}",
            f"{head}.{payload}.{text}",
            f"{token}.{text}",
        ):
            assert sessions.find(forged) is None or forged == token

    check()


async def test_no_odd_header_makes_a_session_or_an_error(
    sessions: Sessions, ada: UserRow, secret: bytes
) -> None:
    _, payload, signature = (await begin(sessions, ada)).split(".")
    odd = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
    names = st.sampled_from(["alg", "typ", "kid", "b64", "crit", "jwk", "zip"])

    @settings(deadline=None)
    @given(st.dictionaries(names, odd | st.sampled_from(["HS256", "none", "HS512"])))
    def check(header: dict[str, Any]) -> None:
        signed = f"{unpadded(json.dumps(header).encode())}.{payload}"
        assert sessions.find(f"{signed}.{signature}") is None

    check()
