"""PyJWT as sessions need it: signatures with a shared secret, and no others.

For those with key pairs it would load all of cryptography, which is here for
SSH: 9 MB of an idle server's memory, and a tenth of a second of its start.
"""

import sys

_loaded = sys.modules.pop("cryptography", None)
# This is how Python marks a module that cannot be imported, and PyJWT then does without.
sys.modules["cryptography"] = None  # type: ignore[assignment]
try:
    from jwt import InvalidTokenError, PyJWT
finally:
    del sys.modules["cryptography"]
    if _loaded is not None:
        sys.modules["cryptography"] = _loaded

__all__ = ["InvalidTokenError", "PyJWT"]
