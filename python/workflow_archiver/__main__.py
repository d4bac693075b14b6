"""`python -m workflow_archiver`."""

import sys

from workflow_archiver.workflow_packaging import main

sys.exit(main())
