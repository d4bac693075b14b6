"""Tells what a sandbox holds on this machine: encloses a process as a worker would be, and prints its report."""

import argparse
import json
import os
import sys

from sconce_worker.enclosure import Enclosures, Wish


def main() -> int:
    parser = argparse.ArgumentParser(prog="sconce_worker.probe", description=__doc__.partition("\n")[0])
    parser.add_argument("--run-directory", required=True, help="a folder of the server's own")
    parser.add_argument("--user", type=int, help="a user that no process has")
    arguments = parser.parse_args()
    enclosures = Enclosures(arguments.run_directory)
    enclosures.begin()
    enclosures.survey(sys.path)
    folder = os.path.dirname(os.path.abspath(__file__))
    wish = Wish(user=arguments.user, roomBytes=1 << 20, model=folder)
    answer, told = os.pipe()
    pid = enclosures.fork()
    if pid == 0:
        code = 1
        try:
            report = enclosures.enter(wish, folder, [told])
            os.write(told, json.dumps(report._asdict()).encode("ascii"))
            code = 0
        finally:
            os._exit(code)
    os.close(told)
    with os.fdopen(answer, "rb") as file:
        text = file.read()
    os.waitpid(pid, 0)
    print(text.decode("ascii"))
    return 0 if text else 1


if __name__ == "__main__":
    sys.exit(main())
