"""`python -m model_archiver`."""

import sys

from model_archiver.model_packaging import main

sys.exit(main())
