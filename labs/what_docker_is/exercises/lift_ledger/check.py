"""The image box-ledger:1: the old program, unchanged and in its place, which does its work when a container runs."""

import io
import secrets
import tarfile

from docker.errors import APIError, NotFound

from labs import settings
from labs.kit import look_docker, remove_docker, world
from labs.kit.verdict import Verdict, done, not_yet

TAG = "box-ledger:1"
ENTRIES = "opt/ledger/entries.csv"
KEPT = ("opt/ledger/bin/close_day", "opt/ledger/etc/ledger.conf")
FOLDER = settings.LABS / "what_docker_is" / "ledger"
PATIENCE = 5  # seconds; the program takes a fraction of one


def check() -> Verdict:
    image = world.image(TAG)
    if image is None:
        return not_yet("no_image", f"There is no image {TAG} yet.")
    if complaint := look_docker.unlabelled(image, f"The image {TAG}"):
        return not_yet("label_missing", complaint)
    return _as_it_is() or _unchanged() or _with_other_entries()


def reset() -> None:
    remove_docker.everything(TAG)


def _as_it_is() -> Verdict | None:
    """Starts the image as it is. None when it says what the program says today."""
    try:
        ended = look_docker.run_to_end("box-", TAG, PATIENCE)
    except APIError as problem:
        return not_yet(
            "cannot_start",
            f"The engine cannot start what the image names: {problem.explanation or problem}. "
            "Is the path in CMD the one where the program lies, and may it be executed?",
        )
    if ended.code is None:
        return not_yet("never_ends", "A container from the image still runs after some seconds. A job ends.")
    return _failure(ended) if ended.code else _line(ended.output)


def _failure(ended: look_docker.Ended) -> Verdict:
    if "ledger.conf" in ended.errors:
        return not_yet(
            "settings_not_found",
            f"The program starts and does not find its settings: {_last(ended.errors)}. "
            "It looks in /opt/ledger/etc, as it did in the cellar.",
        )
    if ended.code == 4:
        return not_yet("entries_not_found", f"The program finds its settings, and not its entries: {ended.errors}.")
    return not_yet("fails", f"The program ends with code {ended.code}: {_last(ended.errors or ended.output)}")


def _line(output: str) -> Verdict | None:
    if output == line(FOLDER.joinpath(ENTRIES).read_text("utf-8")):
        return None
    said = f"prints “{output}”" if output else "ends at once and prints nothing"
    return not_yet("other_line", f"A container from {TAG} {said}. What does the image start when nobody says?")


def _unchanged() -> Verdict | None:
    with look_docker.probe("box-", TAG) as probe:
        for path in KEPT:
            try:
                content = _read(b"".join(probe.get_archive(f"/{path}")[0]))
            except NotFound:
                return not_yet("moved", f"The image has no file /{path}: other programs know that path.")
            if content != FOLDER.joinpath(path).read_bytes():
                return not_yet(
                    "changed", f"The file /{path} is not the old one any more. It was to stay byte for byte."
                )
    return None


def _with_other_entries() -> Verdict:
    """Gives it entries that nobody could know beforehand: the work has to be done when a container runs."""
    entries = "".join(f"2009-03-03;entry;{secrets.randbelow(9000) / 100:.2f}\n" for _ in range(3))
    client = world.docker_client()
    probe = client.containers.create(TAG, name=f"box-probe-{secrets.token_hex(4)}", labels=_label())
    try:
        probe.put_archive("/", _archive(entries))
        probe.start()
        probe.wait(timeout=PATIENCE)
        said = probe.logs(stderr=False).decode(errors="replace").strip()
    finally:
        probe.remove(force=True, v=True)
    if said != line(entries):
        return not_yet(
            "done_at_build",
            f"With other entries in the place of the old ones a container still prints “{said}”. "
            "Was the sum made while the image was built?",
        )
    return done(f"{TAG} closes the day as the cellar did, and every other day as well: {line(entries)}.")


def line(entries: str) -> str:
    """What the program prints for some entries."""
    amounts = [float(row.split(";")[2]) for row in entries.splitlines() if row and not row.startswith("#")]
    return f"{len(amounts)} entries, total {sum(amounts):.2f} EUR"


def _label() -> dict[str, str]:
    return {settings.LABEL_KEY: settings.LABEL_VALUE}


def _last(text: str) -> str:
    return (text.splitlines() or ["(it wrote nothing)"])[-1]


def _read(archive: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        file = found.extractfile(found.getmembers()[0])
        return file.read() if file else b""


def _archive(entries: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as made:
        member = tarfile.TarInfo(ENTRIES)
        member.size, member.mode = len(entries.encode()), 0o644
        made.addfile(member, io.BytesIO(entries.encode()))
    return content.getvalue()
