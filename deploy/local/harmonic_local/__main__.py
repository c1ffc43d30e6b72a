"""``python -m harmonic_local run|demo|token|harmonic``: a whole instance, and what goes with it."""

import argparse
import asyncio
import os
import sys

from harmonic_local.demo import demo
from harmonic_local.instance import Instance
from harmonic_local.run import Wanted, run
from harmonic_local.tokens import make_token


def main() -> int:
    """Run one command; the exit status."""
    options = _arguments()
    if options.command == "run":
        wanted = Wanted(options.port, options.gateways, options.states, options.musics)
        return asyncio.run(run(wanted))
    instance = Instance.read()
    if instance is None:
        print("No instance runs here: start one with `make run`.", file=sys.stderr)
        return 1
    if options.command == "demo":
        return demo(instance)
    if options.command == "harmonic":
        command = (sys.executable, "-m", "harmonic_operator", *options.arguments)
        os.execve(sys.executable, command, {**os.environ, **instance.operator})
    print(make_token(instance.jwt_secret, options.user, name=options.name, lifetime_s=options.ttl))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="harmonic_local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="run an instance until Ctrl-C")
    running.add_argument("--port", type=int, default=8000)
    running.add_argument("--gateways", type=int, default=1)
    running.add_argument("--states", type=int, default=1)
    running.add_argument("--musics", type=int, default=1)
    commands.add_parser("demo", help="let two people work together in it")
    harmonic = commands.add_parser("harmonic", help="run an operator's command against it")
    harmonic.add_argument("arguments", nargs=argparse.REMAINDER)
    token = commands.add_parser("token", help="print a token for it")
    token.add_argument("--user", required=True)
    token.add_argument("--name")
    token.add_argument("--ttl", type=int, default=3600, help="lifetime in seconds")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
