"""Exit 0 when the server in this container can read and write its database.

Starts nothing of ArchNest: it runs every half minute.
"""

import os
import ssl
import sys
import urllib.request

setting = os.environ.get
scheme = "https" if setting("ARCHNEST_TLS_CERT") else "http"
port = setting("ARCHNEST_LISTEN", "").rpartition(":")[2] or "4000"
prefix = setting("ARCHNEST_BASE_PATH", "").rstrip("/")
# It talks to itself, under a name that no certificate has.
unverified = ssl.create_default_context()
unverified.check_hostname = False
unverified.verify_mode = ssl.CERT_NONE
try:
    url = f"{scheme}://127.0.0.1:{port}{prefix}/readyz"
    urllib.request.urlopen(url, timeout=8, context=unverified).close()  # noqa: S310 - its own
except OSError as error:
    sys.exit(str(error))
