"""`python -m archnest`: the same as the `archnest` command."""

import sys

from archnest.cli import main

sys.exit(main())
