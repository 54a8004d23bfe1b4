"""One target under atheris: `python -m tests.fuzz masking CORPUS -runs=100000`.

A process of its own, because libFuzzer ends it.
"""

import sys

import atheris

with atheris.instrument_imports(include=["archnest"]):
    from archnest.masking import MASK, mask_text
    from tests.test_decoder import accepted


def masking(data: bytes) -> None:
    """Masking a second time changes nothing, and no text grows beyond its masks."""
    text = data.decode("utf-8", "replace")
    masked = mask_text(text)
    assert mask_text(masked) == masked, text
    assert len(masked) <= len(text) * (len(MASK) + 1), text


def report(data: bytes) -> None:
    """A report is taken, down to its row, or refused."""
    accepted(data)


if __name__ == "__main__":
    atheris.enabled_hooks.add("RegEx")
    target = {"masking": masking, "report": report}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
