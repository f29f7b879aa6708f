"""The course's own Python environment, `.venv`: made, kept in step, repaired. Standard library only.

A stamp inside it says for which folder, Python and requirements it was made, and is set to `ready` last. Whatever is
found without that word was interrupted, and is made anew.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from labs import settings
from labs.cloud.session import install as session_plugin
from labs.machine import console, files, packages, privilege, processes

REQUIREMENTS = settings.ROOT / "requirements.txt"
TEST_REQUIREMENTS = settings.ROOT / "tests" / "requirements.txt"
STAMP = settings.VENV / "course.json"
PIP_INSTALL = ["-m", "pip", "install", "--require-hashes", "--disable-pip-version-check", "--no-input"]
PIP_INSTALL += ["--progress-bar", "off"]


def ensure(*, tests: bool = False) -> bool:
    """Makes the environment, or only what of it is missing.

    Args:
        tests: also with what the tests need.

    Returns:
        Whether there was anything to do.

    Raises:
        Trouble: it could not be made; the message says why and what to do.
    """
    if missing(tests=tests) is None:
        return False
    with files.lock(_lock_file(), _say_waiting) as held:
        reason = missing(tests=tests)
        if reason is None:  # the other start has done it
            return False
        console.say(f"The course's Python environment in {settings.VENV}: {reason}.")
        if _must_rebuild():
            _make(held)
        _install(tests, held)
    return True


def require() -> None:
    """Makes sure that there is an environment to go on in, of whatever versions.

    Raises:
        Trouble: there is none, or making it was interrupted.
    """
    if _stamp().get("state") == "making" or not _python_works():
        raise console.Trouble(f"The course is not set up in {settings.ROOT} (yet). Run `python3 -m labs` first.")


def missing(*, tests: bool = False) -> str | None:  # noqa: PLR0911 - one line for each reason
    """Why the environment cannot be used as it is, in a few words; None if it can."""
    if not settings.VENV.is_dir():
        return "not there yet"
    stamp = _stamp()
    if stamp.get("state") == "making":
        return "making it was interrupted, so it is made anew"
    if not _python_works():
        return "its Python does not run (any more), so it is made anew"
    if not stamp:
        return "made by somebody else, so it is checked against requirements.txt"
    if stamp.get("root") != str(settings.ROOT):
        return f"made for another folder ({stamp.get('root')}), so it is made anew"
    if stamp.get("requirements") != digest(REQUIREMENTS):
        return "requirements.txt has changed"
    if session_plugin.wanted(settings.venv_python()):
        return "the AWS CLI's session-manager-plugin is missing"
    if tests and stamp.get("tests") != digest(TEST_REQUIREMENTS):
        return "the tests need some more packages"
    return None


def enter(arguments: Sequence[str]) -> None:
    """Goes on in the environment's Python: `python -m labs ARGUMENTS` there, in place of this process.

    Returns only if this process already runs there.
    """
    if Path(sys.prefix).resolve() == settings.VENV.resolve():
        return
    command = [str(settings.venv_python()), "-m", "labs", *arguments]
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(settings.ROOT), env.get("PYTHONPATH")]))
    sys.stdout.flush()
    if not processes.WINDOWS:
        os.execve(command[0], command, env)  # noqa: S606 - there is no shell, and none is wanted
    # Windows has no exec that keeps the console's owner waiting.
    raise SystemExit(subprocess.run(command, env=env, check=False).returncode)


def digest(path: Path) -> str:
    """The SHA-256 of a text file, the same whatever line ends git has chosen for this system."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _must_rebuild() -> bool:
    stamp = _stamp()
    return (
        not _python_works() or stamp.get("state") == "making" or bool(stamp and stamp.get("root") != str(settings.ROOT))
    )


def _make(held: int) -> None:
    with console.step("Making the environment"):
        if settings.VENV.is_symlink():
            settings.VENV.unlink()
        elif settings.VENV.exists():
            shutil.rmtree(settings.VENV)
        settings.VENV.mkdir(parents=True)
        _write_stamp({"state": "making", "root": str(settings.ROOT)})
        try:
            _venv(held)
        except processes.Failed as failed:
            if "ensurepip" not in failed.tail:
                raise console.Trouble(
                    f"Python's venv module could not make {settings.VENV}:\n{failed.tail}\n"
                    "Look whether the disk has space and the folder belongs to you, then run this again."
                ) from failed
            _install_venv_module(held)
            _venv(held)


def _venv(held: int) -> None:
    # Not sys.executable: that may be the very environment that is being replaced.
    base = getattr(sys, "_base_executable", None) or sys.executable
    processes.run([base, "-m", "venv", settings.VENV], keep=[held])


def _install_venv_module(held: int) -> None:
    """Debian and Ubuntu ship Python without ensurepip; it is a package of its own."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    sudo = privilege.sudo()
    if not privilege.debian_like() or sudo is None:
        cure = f"sudo apt-get install {name}" if privilege.debian_like() else "install your system's package for it"
        raise console.Trouble(
            "This Python cannot make environments: its modules venv and ensurepip are a package of their own here. "
            f"Install it ({cure}), then run this again."
        )
    console.say(f"\nThis Python came without the module that makes environments: installing {name}.")
    try:
        packages.install([name], sudo, keep=[held])
    except processes.Failed as failed:
        raise console.Trouble(
            f"apt-get could not install {name}:\n{failed.tail}\nInstall it by hand, then run this again."
        ) from failed


def _install(tests: bool, held: int) -> None:
    lists = [REQUIREMENTS, *([TEST_REQUIREMENTS] if tests else [])]
    # From here on an interruption leaves a mixture of versions: only `ready` makes it count.
    _write_stamp({"state": "making", "root": str(settings.ROOT)})
    log = settings.data_dir() / "logs" / "pip.log"
    doing = "Installing the packages" + (" of the course and of its tests" if tests else "")
    with console.step(doing + " (a few hundred MB the first time)"):
        for requirements in lists:
            try:
                processes.run(
                    [settings.venv_python(), *PIP_INSTALL, "-r", requirements],
                    env={name: value for name, value in os.environ.items() if name != "PYTHONHOME"},
                    log=log,
                    keep=[held],
                )
            except processes.Failed as failed:
                raise console.Trouble(
                    f"pip could not install what {requirements.name} lists:\n{_errors(failed.tail)}\n"
                    "Without a network this cannot work the first time; on a full disk neither. "
                    f"When that is mended, run this again. All of pip's output: {log}"
                ) from failed
    _write_path_file()
    _make_session_plugin()
    ready = {"state": "ready", "root": str(settings.ROOT), "requirements": digest(REQUIREMENTS)}
    _write_stamp(ready | ({"tests": digest(TEST_REQUIREMENTS)} if tests else {}))


def _errors(tail: str) -> str:
    """Of pip's last lines those that say what went wrong; all of them if none does."""
    return "\n".join(line for line in tail.splitlines() if line.startswith("ERROR")) or tail


def _write_path_file() -> None:
    """Lets every Python of the environment find `labs`, and shut the door to real AWS, before anything else runs.

    Lines that begin with `import` are run by the module `site`. The folder's name is written in ASCII escapes: older
    Pythons read this file in the system's own encoding. https://docs.python.org/3/library/site.html
    """
    guard = (
        "try:\n"
        "    import labs.cloud.guard\n"
        "    labs.cloud.guard.install()\n"
        "except ModuleNotFoundError as error:\n"  # the folder was moved or deleted: no word about it
        "    if not (error.name or '').startswith('labs'): raise\n"
    )
    lines = [f"import sys; sys.path.append({str(settings.ROOT)!a})", f"import sys; exec({guard!a})"]
    answer = processes.run(
        [settings.venv_python(), "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    )
    folder = Path(answer.strip().splitlines()[-1])
    files.write_atomic(folder / "containers_on_aws.pth", "\n".join(lines) + "\n", mode=0o644)


def _make_session_plugin() -> None:
    """The program that the AWS CLI runs for `aws ecs execute-command`, unless AWS's own one is installed."""
    if not session_plugin.wanted(settings.venv_python()):
        return
    try:
        session_plugin.install(settings.venv_python())
    except session_plugin.InstallError as problem:
        raise console.Trouble(f"{problem}\nWhen that is mended, run this again.") from problem


def _python_works() -> bool:
    """Whether the environment's Python starts, is new enough and has pip."""
    code = "import sys, importlib.util as u; sys.exit(sys.version_info < (3, 11) or u.find_spec('pip') is None)"
    with suppress(OSError):
        done = subprocess.run([settings.venv_python(), "-I", "-c", code], capture_output=True, check=False)
        return done.returncode == 0
    return False


def _stamp() -> dict:
    found = files.read_json(STAMP)
    return found if isinstance(found, dict) else {}


def _write_stamp(stamp: dict) -> None:
    files.write_atomic(STAMP, json.dumps(stamp, indent=1) + "\n", mode=0o644)


def _lock_file() -> Path:
    """One lock for each folder of the course, kept in the data folder."""
    name = hashlib.sha256(str(settings.ROOT).encode()).hexdigest()[:12]
    return settings.data_dir() / "locks" / f"environment-{name}"


def _say_waiting() -> None:
    console.say("Another start of the course is still at work on the environment: waiting for it.")
