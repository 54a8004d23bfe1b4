"""What is secret never gets past masking, and masking changes nothing else."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archnest.masking import (
    MASK,
    _secret_ones,
    is_secret_key,
    mask_container,
    mask_text,
    mask_value,
)
from archnest.model.limits import MAX_TEXT
from archnest.model.report import Container
from tests.factories import container

CASES = json.loads((Path(__file__).parent / "masking_cases.json").read_text())
WORDS = ["PASS", "SECRET", "TOKEN", "KEY", "PRIVATE", "CREDENTIAL"]

secret = st.text("ghijklmnoGHIJKLMNO0123456789._~!$*+%", min_size=6).map("Zq7".__add__)
around = st.text(max_size=20)
plain = st.text(
    st.characters(exclude_characters=":/?#@-'\"\\ \t\n\r\f\v", exclude_categories=["Cs"]),
    max_size=10,
)
secret_name = st.tuples(
    st.text("abcxyz_-.", max_size=5), st.sampled_from(WORDS), st.text("abcxyz_-.", max_size=5)
).map(lambda parts: "".join(parts))


@pytest.mark.parametrize("case", CASES["values"], ids=lambda case: case["key"])
def test_values(case: dict[str, str]) -> None:
    assert mask_value(case["key"], case["value"]) == case["masked"]


@pytest.mark.parametrize("case", CASES["texts"], ids=lambda case: case["text"][:40])
def test_texts(case: dict[str, str]) -> None:
    assert mask_text(case["text"]) == case["masked"]


@given(around, st.sampled_from(WORDS), around)
def test_a_key_is_secret_in_any_case(before: str, word: str, after: str) -> None:
    for spelling in (word, word.lower(), word.title()):
        assert is_secret_key(before + spelling + after)


@given(plain, secret, plain, around)
def test_no_url_password_survives(user: str, password: str, host: str, rest: str) -> None:
    masked = mask_text(f"x=postgres://{user}:{password}@{host} {rest}")
    assert password not in masked.replace(rest, "")


@given(secret_name, st.sampled_from(["=", " ", "  ", "\n"]), secret)
def test_no_option_value_survives(name: str, separator: str, value: str) -> None:
    for quoted in (value, f"'{value} {value}'", f'"{value} {value}"'):
        assert value not in mask_text(f"run --x{name}{separator}{quoted} --more")


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask_text(mask_text(text)) == mask_text(text)


@given(st.text(st.sampled_from("a:/@-='\" \\token pass http\n"), max_size=200))
def test_masking_twice_is_masking_once_in_awkward_text(text: str) -> None:
    assert mask_text(mask_text(text)) == mask_text(text)


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "-",
        "--a",
        "://",
        "a://",
        "a://b:",
        "@",
        "'",
        '"',
        '--token "',
        "--token '",
        "\\",
        "--token=",
        " --key",
    ],
)
def test_hostile_text_is_masked_in_linear_time(unit: str) -> None:
    def cost(size: int) -> float:
        text = (unit * size)[:size]
        started = time.process_time()
        mask_text(text)
        return time.process_time() - started

    # A generous fence against the quadratic: 32 KiB would then take minutes.
    assert cost(32_768) < 5


def masked(document: dict[str, Any]) -> Container:
    return mask_container(msgspec.convert(document, Container))


def test_every_field_the_rule_names_is_masked() -> None:
    made = masked(
        container(
            env=[{"key": "A", "value": "1"}, {"key": "MY_KEY", "value": "s3"}],
            labels={"plain": "x", "my.token": "s3", "url": "ftp://u:s3@h"},
            entrypoint="run --secret s3",
            command="go ftp://u:s3@h",
        )
    )
    assert "s3" not in msgspec.json.encode(made).decode()
    assert [entry.value for entry in made.env or []] == ["1", MASK]
    assert made.labels == {"plain": "x", "my.token": MASK, "url": f"ftp://u:{MASK}@h"}


def test_a_container_without_secrets_is_given_back_itself() -> None:
    plain = msgspec.convert(container(), Container)
    assert mask_container(plain) is plain


names = st.lists(st.sampled_from(["a", "\n", "key", "TOKEN", "=", "é"]), max_size=4).map("".join)
values = st.sampled_from(["", "x", MASK, "a\nb", "http://u:s3@h", "--token s3", "@", "://", "-"])


@given(
    st.lists(st.tuples(names, values), max_size=5),
    st.dictionaries(names, values, max_size=5),
    st.none() | values,
)
def test_a_container_is_masked_as_each_of_its_values_is(
    env: list[tuple[str, str]], labels: dict[str, str], command: str | None
) -> None:
    entries = [{"key": key, "value": value} for key, value in env]
    made = masked(container(env=entries, labels=labels, command=command))
    assert [entry.value for entry in made.env or []] == [mask_value(*one) for one in env]
    assert made.labels == {key: mask_value(key, value) for key, value in labels.items()}
    assert made.command == (None if command is None else mask_text(command))


def test_a_masked_text_is_no_longer_than_a_text_may_be() -> None:
    long = "--key a " * (MAX_TEXT // 8)
    one = msgspec.convert(container("web", command=long, labels={"l": long}), Container)
    masked = mask_container(one)
    assert masked.command is not None
    assert masked.command.endswith("…")
    assert len(masked.command) == MAX_TEXT
    assert msgspec.json.decode(msgspec.json.encode(masked), type=Container) == masked
    assert mask_container(masked) == masked


def test_names_that_fill_the_memory_are_not_kept_in_mind() -> None:
    before = _secret_ones.cache_info().currsize
    for number in range(20):
        masked(container(env=[{"key": f"{number}" * 3_000, "value": "x"}]))
    assert _secret_ones.cache_info().currsize == before
