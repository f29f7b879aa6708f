"""The table of chapters in README.md, made from the syllabus between two markers."""

from pathlib import Path

from labs import settings
from labs.kit import exercise, syllabus

FILE = settings.ROOT / "README.md"
BEGIN, END = "<!-- chapters: begin -->", "<!-- chapters: end -->"
_NEEDS = {"docker": "Docker", "cloud": "local AWS"}


def refresh(file: Path = FILE) -> bool:
    """Renew the table in a README.

    Returns:
        Whether the file changed.

    Raises:
        ValueError: one of the two markers is missing, or they are not there once and in order.
    """
    text = file.read_text(encoding="utf-8")
    renewed = with_table(text)
    if renewed == text:
        return False
    file.write_text(renewed, encoding="utf-8", newline="\n")
    return True


def with_table(text: str) -> str:
    """A README's text with the table of chapters as the syllabus has it now.

    Raises:
        ValueError: one of the two markers is missing, or they are not there once and in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(
            f"README.md must hold {BEGIN} and, after it, {END}, each once: put them back around the table."
        )
    return f"{before}{BEGIN}\n{table(syllabus.load())}\n{END}{after}"


def table(course: syllabus.Syllabus) -> str:
    """The chapters as a Markdown table, one row each; a ready one links to its notebook."""
    parts = {part.id: part.title for part in course.parts}
    rows = ["| | chapter | part | minutes | needs |", "|---|---|---|---|---|"]
    for entry in course.chapters:
        ready = entry.state == "ready"
        path = syllabus.notebook_path(entry.slug).relative_to(settings.ROOT).as_posix()
        title = f"**[{entry.title}]({path})**" if ready else f"{entry.title} *(to come)*"
        needs = ", ".join(_NEEDS[need] for need in entry.needs) or "nothing more"
        rows.append(
            f"| {entry.number:02d} | {title} | {parts[entry.part]} | {entry.minutes if ready else ''} | {needs} |"
        )
    return "\n".join([*rows, "", _proof(course)])


def _proof(course: syllabus.Syllabus) -> str:
    """A sentence on the graders; `tests/exercises` fails unless it is true."""
    pairs = [(entry.slug, name) for entry in course.chapters for name in exercise.names(entry.slug)]
    wrong = sum(len(exercise.wrong_states(*pair)) for pair in pairs)
    return (
        f"**{len(pairs)} exercises, {wrong} scripted mistakes: {wrong} of {wrong} are refused with the hint that names "
        "the mistake,** and no exercise is done before it is begun (`tests/exercises`)."
    )
