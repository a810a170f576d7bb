"""Compares the switch with foreign implementations. Run by tests/all; see --help."""

import argparse
import os
import pathlib
import random
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
MODULES = ("codec", "calculators", "crypto", "terminal", "chips", "merchant_day", "many_terminals", "host_door", "tls_door")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tollgate", required=True, help="the binary under test")
    parser.add_argument("--rounds", default="200", help="random messages a dialect and direction")
    parser.add_argument("--seed", default=str(random.randrange(10**9)), help="of the random messages")
    parser.add_argument("tests", nargs="*", help="modules or tests; all if none are named")
    arguments = parser.parse_args()
    os.environ["TOLLGATE"] = str(pathlib.Path(arguments.tollgate).resolve())
    os.environ["TOLLGATE_ROUNDS"] = arguments.rounds
    os.environ["TOLLGATE_SEED"] = arguments.seed
    print(f"seed {arguments.seed}", flush=True)
    sys.path.insert(0, str(HERE))
    import station

    suite = unittest.defaultTestLoader.loadTestsFromNames(arguments.tests or MODULES)
    try:
        result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    finally:
        ended = station.Demo.stop()
    passed = result.wasSuccessful()
    if ended is not None:
        code, printed = ended
        print("\n".join(printed.splitlines()[-12:]))
        # The demo checks at its end that terminals, switch and issuers agree to the cent. What a terminal left out of
        # its upload on purpose must be found, and nothing else.
        print(f"the demo ended with {code}")
        found = [line for line in printed.splitlines() if "DIFFERENCE" in line]
        wanted = [f"{amount} here, the terminal did not upload it" for amount in station.Demo.left_out]
        as_wanted = len(found) == len(wanted) and all(line.endswith(end) for line, end in zip(found, wanted))
        passed = passed and as_wanted and code == (1 if wanted else 0)
    if result.skipped and os.environ.get("TOLLGATE_REQUIRE_ALL") == "1":
        print(f"{len(result.skipped)} left out though TOLLGATE_REQUIRE_ALL=1")
        passed = False
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
