"""The front door: `python3 -m labs`. Runs with nothing installed but Python; each command imports what it needs."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said in a sentence, before anything here needs a newer Python
    sys.exit(
        "The course needs Python 3.11 or newer, and this is {}.{}. Install one (https://www.python.org/downloads/) "
        "and call it by its name, e.g. `python3.12 -m labs`.".format(*sys.version_info[:2])
    )

import argparse
import errno
import importlib
import json
import os
import signal
from collections.abc import Sequence

from labs import settings
from labs.machine import console, environment

TAKE_WHAT_IS_THERE = ("stop", "reset", "status")  # never a download first, e.g. right after an update of the course
AUTHORS = {
    "draw": "draw all pictures",
    "check": "check that every exercise keeps its contract",
    "refresh": "run the notebooks and keep the outputs that their text talks about",
    "lock": "make requirements.txt and tests/requirements.txt from pyproject.toml",
}


def main(arguments: Sequence[str]) -> int:
    """Runs one command.

    Args:
        arguments: what follows `python3 -m labs`.

    Returns:
        The exit code.
    """
    parsed, rest = _parser().parse_known_args(arguments)
    if rest and parsed.command not in AUTHORS:
        _parser().error(f"unknown: {' '.join(rest)}")
    signal.signal(signal.SIGTERM, _end)
    try:
        if parsed.command == "doctor":
            return _doctor(parsed)
        if parsed.command in TAKE_WHAT_IS_THERE:
            environment.require()
        else:
            environment.ensure(tests=parsed.command == "test")
        environment.enter(arguments)
        return _run(parsed, rest)
    except console.Trouble as trouble:
        console.complain(str(trouble))
        return 1
    except BrokenPipeError:  # who read our lines has enough, as in `python3 -m labs status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _disk_trouble(error)
    except KeyboardInterrupt:
        console.complain("\nInterrupted. Run the same command again: it goes on from what is there.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m labs", description="Containers on AWS, on your own machine.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    start = commands.add_parser("start", help="set up what is missing and open the course (the default)")
    for target in (parser, start):
        target.add_argument("--no-browser", action="store_true", help="only print the address")
        target.add_argument("--port", type=_port, help="the port of JupyterLab (default: the first free one from 8888)")
    start.add_argument("--backend", choices=("embedded", "localstack", "aws"), help="what answers behind the local AWS")
    start.add_argument("--url", help="with --backend localstack: the address of one that runs")
    start.add_argument("--profile", help="with --backend aws: the profile of your AWS configuration")
    start.add_argument("--region", help="with --backend aws: the one region to make things in")
    start.add_argument(
        "--account", metavar="NUMBER", help="with --backend aws: agree to this account without being asked"
    )
    test = commands.add_parser("test", help="run every test, and leave nothing running")
    test.add_argument("--chapter", type=_chapter, metavar="SLUG", help="only the tests of this chapter")
    test.add_argument("--quick", action="store_true", help="leave out the slow tests")
    test.add_argument("--backend", choices=("localstack",), help="only the tests of the local AWS, on this backend")
    status = commands.add_parser("status", help="what runs, and what each chapter holds")
    doctor = commands.add_parser("doctor", help="look at everything the course needs, each finding with its cure")
    for target in (status, doctor):
        target.add_argument("--json", action="store_true", help="as data")
    reset = commands.add_parser("reset", help="remove what the chapters made; notebooks and progress are kept")
    which = reset.add_mutually_exclusive_group()
    which.add_argument("--chapter", type=_chapter, metavar="SLUG", help="only what this chapter made")
    which.add_argument("--all", action="store_true", help="also the base image, if it was built here")
    commands.add_parser("stop", help="end everything that runs; what you made in the local AWS is kept")
    clean = commands.add_parser(
        "clean_up", help="with a real account: remove all that carries the course's tag", aliases=["clean-up"]
    )
    clean.add_argument("--account", metavar="NUMBER", help="agree to the removal in this account without being asked")
    for name, purpose in AUTHORS.items():
        commands.add_parser(name, help=f"for authors: {purpose}", add_help=False)
    parser.set_defaults(command="start")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: use a number from 1 to 65535")
    return int(text)


def _chapter(slug: str) -> str:
    labs = sorted(path.parent.name for path in settings.LABS.glob("*/lab.py"))
    if slug not in labs:
        raise argparse.ArgumentTypeError(f"there is no chapter {slug!r}; there are: {', '.join(labs)}")
    return slug


def _run(parsed: argparse.Namespace, rest: list[str]) -> int:  # noqa: PLR0911 - one line for each command
    if parsed.command in AUTHORS:
        return importlib.import_module(f"labs.authoring.{parsed.command}").main(rest)
    if parsed.command == "status":
        return _status(parsed)
    if parsed.command == "test":
        from labs.machine import proof

        if parsed.backend:
            return proof.run_on_localstack(["--quick"] if parsed.quick else [])
        chapter = [f"--chapter={parsed.chapter}"] if parsed.chapter else []
        return proof.run([*chapter, *(["--quick"] if parsed.quick else [])])
    if parsed.command.startswith("clean"):
        from labs.machine import account

        return account.clean_up(parsed.account)
    from labs.machine import course

    if parsed.command == "stop":
        return course.stop()
    if parsed.command == "reset":
        return _reset_chapter(parsed.chapter) if parsed.chapter else course.reset(everything=parsed.all)
    options = {name: getattr(parsed, name, None) for name in ("url", "profile", "region", "account")}
    if chosen := getattr(parsed, "backend", None):
        from labs.machine import choosing

        choosing.choose(chosen, **options)
    elif given := [f"--{name}" for name, value in options.items() if value is not None]:
        raise console.Trouble(f"{', '.join(given)} only with --backend.")
    return course.start(port=parsed.port, browser=not parsed.no_browser)


def _reset_chapter(slug: str) -> int:
    from labs.cloud import environment as aws
    from labs.machine import engine, engine_advice

    if settings.backend() == "aws":
        raise console.Trouble(
            "A chapter's reset goes by names, and in a real account they may be other people's. `python3 -m labs "
            "clean_up` goes by the course's tags."
        )
    if engine.use() is None:
        raise console.Trouble(engine_advice.missing_sentence())
    aws.apply()
    lab = importlib.import_module(f"labs.{slug}.lab")
    lab.reset()
    for sentence in (left := lab.leftovers()):
        console.complain(sentence)
    if not left:
        console.say(f"Nothing of the chapter {slug} is left. Notebooks and progress are kept.")
    return 1 if left else 0


def _status(parsed: argparse.Namespace) -> int:
    from labs.machine import status

    found = status.collect()
    console.say(json.dumps(found, indent=1) if parsed.json else status.as_text(found))
    return 0


def _doctor(parsed: argparse.Namespace) -> int:
    from labs.machine import doctor

    findings = doctor.examine()
    console.say(json.dumps(doctor.as_data(findings), indent=1) if parsed.json else doctor.as_text(findings))
    return 1 if any(finding.state == "fail" for finding in findings) else 0


def _disk_trouble(error: OSError) -> int:
    """A full or read-only disk, said in a sentence. Anything else is a defect and keeps its traceback."""
    place = error.filename or settings.data_dir()
    faults = {
        errno.ENOSPC: f"No space is left on the disk of {place}. Free some",
        errno.EDQUOT: f"Your quota on the disk of {place} is used up. Free some space",
        errno.EROFS: f"The disk of {place} is read-only. Make it writable",
        errno.EACCES: f"Your user may not write {place}. Give it to your user",
        errno.ENOTDIR: f"{place}: on this path a file stands where a folder should be. Move that file away",
    }
    if error.errno not in faults:
        raise error
    console.complain(
        f"{faults[error.errno]}, or set COURSE_DATA to a folder on another disk; then run this again. "
        "Your notebooks and your progress are as they were."
    )
    return 1


def _end(*_: object) -> None:
    """SIGTERM ends us as Ctrl+C does: what is half-made is cleaned up on the way out."""
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
