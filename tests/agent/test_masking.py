"""The agent's masking and the server's are one rule."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archnest.masking import mask_text, mask_value
from archnest.sources.containers import _words
from tests.agent.script import SCRIPT

CASES = json.loads((Path(__file__).parents[1] / "masking_cases.json").read_text())

# Pieces that meet each branch of the rule, next to any text.
PIECES = ["://", ":", "@", "/", "--token", "-password", "=", " ", "\n", "'", '"', "\\", "8080", "u"]
PIECES += ["http", "--", "x", ",", "(", "key", "SECRET", "\t", "ü", "🐳", "?", "#", "-", "é@"]
# No text of a container's can hold a NUL, at which jq 1.6 stops looking.
ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
TEXTS = st.one_of(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), ANY)


@pytest.fixture(scope="module")
def definitions() -> str:
    """The masking part of the script's jq program."""
    command = f'source "{SCRIPT}"; printf %s "$MASKING"'
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, check=True, text=True
    ).stdout


def by_jq(definitions: str, expression: str, values: Any) -> Any:
    """What the expression makes of each value, in one run of jq."""
    done = subprocess.run(
        ["jq", "-c", f"{definitions} map({expression})"],
        input=json.dumps(values).encode(),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_the_shared_cases(definitions: str) -> None:
    texts, values = CASES["texts"], CASES["values"]
    assert by_jq(definitions, ".text | mask_text", texts) == [one["masked"] for one in texts]
    told = by_jq(definitions, ".key as $key | .value | mask($key; [$key] | secret_keys)", values)
    assert told == [one["masked"] for one in values]


@settings(max_examples=15, deadline=None)
@given(st.lists(TEXTS, min_size=60, max_size=200))
def test_any_text(definitions: str, texts: list[str]) -> None:
    assert by_jq(definitions, "mask_text", texts) == [mask_text(one) for one in texts]


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=30, max_size=80))
def test_any_entry(definitions: str, entries: list[tuple[str, str]]) -> None:
    told = by_jq(definitions, ".[0] as $key | .[1] | mask($key; [$key] | secret_keys)", entries)
    assert told == [mask_value(key, value) for key, value in entries]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.dictionaries(TEXTS, TEXTS, max_size=4), min_size=20, max_size=50))
def test_any_labels(definitions: str, labels: list[dict[str, str]]) -> None:
    told = by_jq(definitions, "masked_labels", labels)
    assert told == [{key: mask_value(key, one[key]) for key in one} for one in labels]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.lists(TEXTS, max_size=4), min_size=20, max_size=50))
def test_any_variables(definitions: str, variables: list[list[str]]) -> None:
    told = by_jq(definitions, ". as $all | variables as $found | [$all[] | $found[.]]", variables)
    wanted = [one.partition("=") for some in variables for one in some]
    assert [one for some in told for one in some] == [
        {"key": key, "value": mask_value(key, value)} for key, _, value in wanted
    ]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(TEXTS, max_size=4), min_size=30, max_size=80))
def test_any_command(definitions: str, commands: list[list[str]]) -> None:
    told = by_jq(definitions, "words", commands)
    assert told == [_words(one) for one in commands]
    assert [mask_text(one) for one in told] == told


def test_an_argument_is_masked_before_it_is_quoted(definitions: str) -> None:
    commands = {
        "sh -c 'sleep 9' --db-password=********": ["sh", "-c", "sleep 9", "--db-password=a b"],
        "--token=******** x": ["--token= lead", "x"],
        "app --token ******** x": ["app", "--token", "a 'b' c", "x"],
        "sh -c 'up --token ******** && serve --port 80' 'x y'": [
            *("sh", "-c", "up --token 'a b' && serve --port 80", "x y")
        ],
        "env 'X=http://u:********@h y'": ["env", "X=http://u:it's@h y"],
    }
    assert by_jq(definitions, "words", list(commands.values())) == list(commands)
    assert list(map(_words, commands.values())) == list(commands)


def test_a_hostile_text_takes_no_time(definitions: str) -> None:
    texts = ["--token x " * 3000, "http://a:b@c " * 2500, "--token '" * 3000]
    for masked in by_jq(definitions, "mask_text", texts):
        assert "x --token" not in masked
        assert ":b@" not in masked
