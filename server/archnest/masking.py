"""What is secret and how it is replaced; pure.

The agent masks before anything leaves the host and the server masks again
before anything is stored; `tests/masking_cases.json` holds both to one rule.
Every step is linear in the length of the text, since containers choose it.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec.structs import replace

from archnest.model.limits import MAX_TEXT
from archnest.model.report import Container, EnvEntry

MASK = "********"

_WORDS = "PASS|SECRET|TOKEN|KEY|PRIVATE|CREDENTIAL"
_SECRET = re.compile(_WORDS, re.IGNORECASE | re.ASCII)

# What follows "://": a user, a colon, then the password up to the last "@" of
# the word, because passwords are often put in unescaped. Behind a name a number
# that ends the authority is a port, as in http://host:8080/@scope, and what
# stands in brackets an IPv6 address.
_AFTER_PORT = r"""(?:[/?#"' \t\r\n\f\v]|\Z)"""
_USERINFO = re.compile(
    rf"(?!\[[0-9A-F:.]*\](?::[0-9]{{1,5}})?{_AFTER_PORT})"
    rf"((?:[^ \t\r\n\f\v/?#:]+:(?![0-9]{{1,5}}{_AFTER_PORT})|:))[^ \t\r\n\f\v]+@",
    re.IGNORECASE | re.ASCII,
)
_SCHEME_END = re.compile(r"[A-Za-z0-9+.-]\Z")

# An option with a secret name and its value: one shell word, so that quotes
# inside it count. A quote that opens it and is never closed takes all the rest.
# Another option is no value, but what begins with one hyphen and is longer than
# such are is one; behind a mask a quote ends what the option stands in.
_NAME = rf"--?(?=[A-Z0-9_.-]*?(?:{_WORDS}))[A-Z0-9][A-Z0-9_.-]*"
_NO_VALUE = r"""--|-[^ \t\r\n\f\v'"]{0,7}(?:[ \t\r\n\f\v'"]|\Z)"""
_OPTION = re.compile(
    r"""(?<![^ \t\r\n\f\v'"=,;(\[{&|`])"""
    rf"""({_NAME}(?:=|[ \t\r\n]+(?!{_NO_VALUE})))(?:\*{{8}}(?=[ \t\r\n\f\v'"]|\Z)|"""
    r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^ \t\r\n\f\v'"\\])+|['"].*)""",
    re.DOTALL | re.IGNORECASE | re.ASCII,
)
_OPTION_ARGUMENT = re.compile(rf"({_NAME}=).+", re.DOTALL | re.IGNORECASE | re.ASCII)


# A cheap look before the search above: an option begins a word. It begins with the
# hyphen, which is rare, so that nothing else is looked at.
_OPTION_START = re.compile(r"""-(?<![^ \t\r\n\f\v'"=,;(\[{&|`]-)""")


MAX_REMEMBERED = 2_048
"""Characters of a container's names up to which it is kept in mind which are secret:
more would let an agent fill the memory.
"""


def is_secret_key(key: str) -> bool:
    """Whether a variable, label or option of this name holds a secret."""
    return _SECRET.search(key) is not None


def mask_text(text: str) -> str:
    """Replace passwords of URLs and values of options with secret names."""
    if "@" in text and "://" in text:
        text = _mask_urls(text)
    if _OPTION_START.search(text):
        text = _OPTION.sub(rf"\g<1>{MASK}", text)
    # As long as a text may be, as the agent cuts: a mask may be longer than what it replaces.
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def mask_argument(text: str) -> str:
    """The same of one argument by itself: the value of an option goes to its end."""
    option = _OPTION_ARGUMENT.fullmatch(text)
    return option[1] + MASK if option else mask_text(text)


def mask_value(key: str, value: str) -> str:
    """The value of an environment variable or label as it may be stored.

    Gives back the same object when there is nothing to replace, as agents
    mask before they send.
    """
    if is_secret_key(key):
        return value if value == MASK else MASK
    return mask_text(value)


def mask_container(container: Container) -> Container:
    """The container with every secret the rule covers replaced.

    Gives back the same object when there was none.
    """
    env, labels = container.env or [], container.labels or {}
    values = [*[one.value or "" for one in env], *labels.values()]
    if _is_masked("\n".join([*[one.key for one in env], *labels]), values) and not _may_mask(
        "\n".join([*values, container.entrypoint or "", container.command or ""])
    ):
        return container
    return _masked(container)


def _is_masked(names: str, values: Sequence[str]) -> bool:
    """Whether every value whose name, one a line, is that of a secret is replaced already."""
    is_short = len(names) <= MAX_REMEMBERED
    count, secret = (_secret_ones if is_short else _secret_ones.__wrapped__)(names)
    # There are more lines than values where a name holds one itself.
    return count == len(values) and {values[number] for number in secret} <= {MASK}


# Containers have the same names again and again, other containers' too.
@lru_cache(maxsize=1024)
def _secret_ones(names: str) -> tuple[int, tuple[int, ...]]:
    """How many names these are, one a line, and the numbers of those of secrets."""
    each = names.split("\n")
    count = len(each) if names else 0
    return count, tuple(number for number, one in enumerate(each) if is_secret_key(one))


def _may_mask(text: str) -> bool:
    """Whether `mask_text` may replace anything in any line of it."""
    return ("@" in text and "://" in text) or _OPTION_START.search(text) is not None


def _masked(container: Container) -> Container:
    changed: dict[str, object] = {}
    if container.env:
        env = [_masked_entry(one) for one in container.env]
        if env != container.env:
            changed["env"] = env
    if container.labels:
        labels = {key: mask_value(key, value) for key, value in container.labels.items()}
        if labels != container.labels:
            changed["labels"] = labels
    for name in ("entrypoint", "command"):
        text = getattr(container, name)
        if text and (masked := mask_text(text)) != text:
            changed[name] = masked
    return replace(container, **changed) if changed else container


def _masked_entry(entry: EnvEntry) -> EnvEntry:
    return entry if entry.value is None else EnvEntry(entry.key, mask_value(entry.key, entry.value))


def _mask_urls(text: str) -> str:
    first, *others = text.split("://")
    parts = [first]
    before = first
    for part in others:
        userinfo = _USERINFO.match(part) if _SCHEME_END.search(before) else None
        parts.append(f"{userinfo[1]}{MASK}@{part[userinfo.end() :]}" if userinfo else part)
        before = part
    return "://".join(parts)
