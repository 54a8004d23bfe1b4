"""Settings: defaults, forms and the one line that refuses a wrong one."""

import errno
import ipaddress
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archnest.config import generated_once, load, parse_env_file, with_secrets
from archnest.errors import StartRefused


def test_nothing_set_gives_the_documented_defaults(tmp_path: Path) -> None:
    config = load({"HOME": str(tmp_path)})
    assert (config.listen_host, config.listen_port) == ("127.0.0.1", 4000)
    assert config.data_dir == tmp_path / ".local/share/archnest"
    assert config.agent_token is None
    assert config.stale_after_ms == 90_000
    assert config.max_report_bytes == 8_388_608
    assert config.session_ttl_s == 43_200
    assert config.trusted_proxies == ()
    assert config.base_path == "/"


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.31.0.1", True),
        ("192.168.1.1", True),
        ("100.100.0.1", True),
        ("fd12::1", True),
        ("fe80::1", True),
        ("::1", True),
        ("8.8.8.8", False),
        ("172.32.0.1", False),
        ("100.128.0.1", False),
        ("2001:db8::1", False),
    ],
)
def test_reports_come_from_private_networks_unless_told_otherwise(
    address: str, allowed: bool
) -> None:
    parsed = ipaddress.ip_address(address)
    assert any(parsed in network for network in load({}).ingest_allow) is allowed


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("::ffff:127.0.0.0/104", "127.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.1/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:0:0/95", "::fffe:0:0/95"),
        ("fd00::/8", "fd00::/8"),
    ],
)
def test_networks_of_ipv4_are_that_in_whatever_form(written: str, network: str) -> None:
    names = ("ARCHNEST_INGEST_ALLOW", "ARCHNEST_TRUSTED_PROXIES")
    config = load(dict.fromkeys(names, f"10.0.0.0/8, {written}"))
    expected = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network(network))
    assert (config.ingest_allow, config.trusted_proxies) == (expected, expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARCHNEST_LISTEN", "4000"),
        ("ARCHNEST_LISTEN", "host:99999"),
        ("ARCHNEST_LISTEN", "::1:4000"),
        ("ARCHNEST_LISTEN", "a..b:4000"),
        ("ARCHNEST_LISTEN", "x" * 70 + ":4000"),
        ("ARCHNEST_DATA_DIR", "~nosuchuser/x"),
        ("ARCHNEST_DATA_DIR", "a\0b"),
        ("ARCHNEST_AGENT_TOKEN", "two words"),
        ("ARCHNEST_AGENT_TOKEN", "umlaut-ä-in-the-token"),
        ("ARCHNEST_INGEST_ALLOW", "10.0.0.0/99"),
        ("ARCHNEST_TRUSTED_PROXIES", "proxy.lan"),
        ("ARCHNEST_STALE_AFTER_MS", "0"),
        ("ARCHNEST_STALE_AFTER_MS", "90s"),
        ("ARCHNEST_STALE_AFTER_MS", "١٢"),
        ("ARCHNEST_MAX_REPORT_BYTES", "-1"),
        ("ARCHNEST_JWT_SECRET", "short"),
        ("ARCHNEST_SESSION_TTL_S", "1"),
        ("ARCHNEST_TLS_CERT", "/nowhere/cert.pem"),
        ("ARCHNEST_TLS_CERT", "~nosuchuser/cert.pem"),
        ("ARCHNEST_BASE_PATH", "archnest"),
        ("ARCHNEST_BASE_PATH", "/a/../b"),
        ("ARCHNEST_LOG_LEVEL", "loud"),
        ("ARCHNEST_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_refused_by_name_in_one_line(name: str, value: str) -> None:
    with pytest.raises(StartRefused) as refusal:
        load({name: value})
    assert f"{name} is wrong: the form is" in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_a_refused_secret_is_not_repeated() -> None:
    for name in ("ARCHNEST_JWT_SECRET", "ARCHNEST_AGENT_TOKEN"):
        with pytest.raises(StartRefused) as refusal:
            load({name: "hunter two"})
        assert "hunter" not in str(refusal.value)


def test_an_empty_value_means_not_set() -> None:
    config = load({"ARCHNEST_AGENT_TOKEN": "", "ARCHNEST_LISTEN": " "})
    assert (config.agent_token, config.listen_port) == (None, 4000)


def test_certificate_and_key_go_together(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("x")
    with pytest.raises(StartRefused, match="ARCHNEST_TLS_KEY"):
        load({"ARCHNEST_TLS_CERT": str(tmp_path / "cert.pem")})


def test_a_settings_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "archnest.env"
    file.write_text("# ours\nARCHNEST_LISTEN=0.0.0.0:1\nexport ARCHNEST_BASE_PATH='/nest'\n")
    config = load({"ARCHNEST_CONFIG": str(file), "ARCHNEST_LISTEN": "[::1]:2"})
    assert (config.listen_host, config.listen_port, config.base_path) == ("::1", 2, "/nest/")


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_variable_hides_no_line_of_the_file(tmp_path: Path, empty: str) -> None:
    file = tmp_path / "archnest.env"
    file.write_text("ARCHNEST_LISTEN=0.0.0.0:1\nARCHNEST_LOG_LEVEL=\n")
    config = load({"ARCHNEST_CONFIG": str(file), "ARCHNEST_LISTEN": empty})
    assert (config.listen_port, config.log_level) == (1, "info")


def test_a_missing_settings_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="ARCHNEST_CONFIG"):
        load({"ARCHNEST_CONFIG": str(tmp_path / "none")})


def test_a_line_that_is_no_setting_is_named() -> None:
    with pytest.raises(StartRefused, match="file:2"):
        parse_env_file("A=1\nnonsense\n", "file")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("debug # for now", "debug"),
        ("debug\t#", "debug"),
        (" # none", ""),
        ("a#b", "a#b"),
        ("#b", "#b"),
        ("'a # b'", "a # b"),
        ("'a' # it's b", "a"),
        ('"a\'b"\t# "c"', "a'b"),
        ("''", ""),
        ("it's", "it's"),
    ],
)
def test_a_comment_is_no_part_of_a_value(written: str, value: str) -> None:
    assert parse_env_file(f"A={written}", "file") == {"A": value}


@pytest.mark.parametrize("written", ["'a'b", "'a'#b", "'a' b'", "'a", '"', "\"a'"])
def test_what_stands_behind_a_quote_is_no_part_of_a_value(written: str) -> None:
    with pytest.raises(StartRefused, match=r"file:2 .*closing quote"):
        parse_env_file(f"B=1\nA={written}\n", "file")


def test_the_signing_secret_is_generated_once_and_private(tmp_path: Path) -> None:
    config = load({}, data_dir=str(tmp_path / "data"))
    first, second = with_secrets(config), with_secrets(config)
    assert first.jwt_secret == second.jwt_secret
    assert len(first.jwt_secret or b"") >= 32
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    for file in (tmp_path / "data").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_whoever_asks_for_a_secret_at_once_gets_the_same_one(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / str(attempt)
        start = threading.Barrier(8)

        def ask(path: Path = path, start: threading.Barrier = start) -> bytes:
            start.wait(10)
            return generated_once(path)

        with ThreadPoolExecutor(8) as pool:
            told = {asked.result() for asked in [pool.submit(ask) for _ in range(8)]}
        assert told == {path.read_bytes().strip()}
    assert len(list(tmp_path.iterdir())) == 20


def test_a_secret_is_private_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "secret.part").write_text("cut off")
    before = os.umask(0)
    try:
        assert len(generated_once(tmp_path / "secret")) == 64
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {"secret", "secret.part"}


def test_a_file_system_without_hard_links_keeps_a_secret_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*names: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    secret = generated_once(tmp_path / "secret")
    assert generated_once(tmp_path / "secret") == secret
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


def test_a_data_folder_others_can_read_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    os.chmod(folder, 0o755)  # noqa: PTH101
    with_secrets(load({}, data_dir=str(folder)))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
