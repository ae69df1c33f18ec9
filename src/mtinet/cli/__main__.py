"""`python -m mtinet.cli`, the same as `mtinet`."""

import sys

from mtinet.cli.main import main

sys.exit(main())
