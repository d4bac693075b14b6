"""Takes the right to leave a core dump from a running process: the gateway, whose own runtime can't give it up."""

import resource
import sys


def main() -> int:
    resource.prlimit(int(sys.argv[1]), resource.RLIMIT_CORE, (0, 0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
