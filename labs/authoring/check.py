"""`python3 -m labs check [SLUG ...]`: hold the chapters to their contract, without running them."""

import argparse
import ast
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from nbformat import NotebookNode

from labs import settings
from labs.authoring import notebooks
from labs.kit import exercise, questions, syllabus
from labs.kit.live import plan

PARTS = ("The picture", "The idea", "See it run", "Your turn", "Break it", "Exam corner", "Quiz", "Clean up", "Next")
# What nbval cannot compare, or what hides a failure; each with what to do instead.
FORBIDDEN = {
    r"clear_output\(": "nbval does not handle clear_output: print once",
    r"display_id|update_display\(": "nbval does not handle updates of a display: print once",
    r"\binput\(": "a notebook run by a test has nobody to answer input()",
    r"subprocess\.(run|call|Popen)\((?!.*capture_output)": "nbval loses a child's output: capture it, or use `!`",
    r"time\.sleep\(\s*([5-9]|\d\d)": "wait for a condition instead of sleeping that long",
}
BAD_TAGS = ("nbval-skip", "nbval-ignore-output", "raises-exception", "nbval-raises-exception")


def main(argv: list[str]) -> int:
    """Print every fault found; 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python3 -m labs check", description=__doc__)
    parser.add_argument("slug", nargs="*", help="chapters, by slug; all that are ready if none is named")
    found = [fault for slug in parser.parse_args(argv).slug or syllabus.ready() for fault in faults(slug)]
    for fault in found:
        print(f"  - {fault}")
    print(f"{len(found)} faults." if found else "No faults.")
    return 1 if found else 0


def faults(slug: str) -> list[str]:
    """What a chapter lacks of its contract, a sentence each; empty when it holds."""
    found: list[str] = []
    for find in (_notebook, _exercises, _quiz, _pictures, _plan):
        try:
            found += find(slug)
        except ValueError as unreadable:  # a file that is no YAML, or holds something else
            found.append(str(unreadable))
    return [f"{slug}: {fault}" for fault in found]


def _notebook(slug: str) -> Iterator[str]:
    notebook = notebooks.read(syllabus.notebook_path(slug))
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = [h.strip() for h in re.findall(r"^## (.+)$", text, re.MULTILINE)]
    places = [headings.index(part) if part in headings else None for part in PARTS]
    for part, place in zip(PARTS, places, strict=True):
        if place is None:
            yield f"the notebook has no part '## {part}'"
    known = [place for place in places if place is not None]
    if any(a > b for a, b in pairwise(known)):
        yield f"the parts are not in order: {', '.join(PARTS)}"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    opening = f'from labs.kit import open_chapter\n\nchapter = open_chapter("{slug}")'
    if not code or code[0].source.strip() != opening:
        yield f"the first code cell is not exactly:\n{opening}"
    yield from _cells(code)
    yield from _exercise_cells(notebook, slug)
    for call in ("chapter.walk(", "chapter.quiz(", "chapter.clean_up(", "chapter.next("):
        if not any(call in cell.source for cell in code):
            yield f"no cell calls {call})"
    if "widgets" in notebook.metadata:
        yield "widget state is stored in the notebook: python3 -m labs refresh"


def _cells(code: list[NotebookNode]) -> Iterator[str]:
    compared = [cell for cell in code if notebooks.COMPARED in notebooks.tags(cell)]
    if len(compared) < 5:
        yield f"only {len(compared)} cells are compared by nbval; tag at least 5 whose output the text talks about"
    for number, cell in enumerate(code, 1):
        for tag in BAD_TAGS:
            if tag in notebooks.tags(cell):
                yield f"code cell {number} carries the tag {tag}"
        for pattern, cure in FORBIDDEN.items():
            if re.search(pattern, cell.source):
                yield f"code cell {number}: {cure}"
        if cell in compared and not cell.outputs:
            yield f"code cell {number} is to be compared and has no stored output: python3 -m labs refresh"
        if cell not in compared and (cell.outputs or cell.execution_count):
            yield f"code cell {number} stores an output that nothing compares: python3 -m labs refresh"
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"code cell {number} stores an error"


def _exercise_cells(notebook: NotebookNode, slug: str) -> Iterator[str]:
    seen = []
    for position, cell in enumerate(notebook.cells):
        if (name := notebooks.tagged(cell, "task-")) and cell.source != notebooks.task_text(slug, name):
            yield f"the task of {name} differs from its exercise.yaml: python3 -m labs refresh --no-run"
        if name := notebooks.tagged(cell, "exercise-"):
            seen.append(name)
            if any(line.strip() and not line.lstrip().startswith("#") for line in cell.source.splitlines()):
                yield f"the cell of exercise {name} holds more than a comment"
            if position == 0 or notebooks.tagged(notebook.cells[position - 1], "task-") != name:
                yield f"the cell of exercise {name} does not follow its task cell (tag task-{name})"
            if f'chapter.check("{name}")' not in notebook.cells[position + 1].source:
                yield f"the cell of exercise {name} is not followed by its check"
    if sorted(seen) != exercise.names(slug):
        yield f"exercises in the notebook {sorted(seen)} are not those of the lab {exercise.names(slug)}"


def _exercises(slug: str) -> Iterator[str]:
    names = exercise.names(slug)
    if len(names) < 4:
        yield f"{len(names)} exercises; a chapter has at least 4"
    for name in names:
        if found := exercise.faults(slug, name):
            yield from (f"exercise {name}: {fault}" for fault in found)
            continue
        home = exercise.folder(slug) / name
        wrong = exercise.wrong_states(slug, name)
        if len(wrong) < 3:
            yield f"exercise {name} has {len(wrong)} wrong states; at least 3"
        answered = verdict_ids(home / "check.py")
        proven = {mistake.answer for mistake in wrong}
        if unknown := proven - answered:
            yield f"exercise {name}: no answer of check.py has the id of {sorted(unknown)}"
        if len(answered - proven) > 1:
            unproven = sorted(answered - proven)
            yield f"exercise {name}: only the untouched state may lack a wrong state, but so do {unproven}"
        known = {"exercise.yaml", "check.py", "solution.py", "wrong.yaml", "wrong", "__pycache__"}
        if stray := {path.name for path in home.iterdir()} - known:
            yield f"exercise {name}: stray files {sorted(stray)}"


def verdict_ids(check: Path) -> set[str]:
    """The ids that a check.py can answer: the first argument of each not_yet(...) and lost(...) in it."""
    tree = ast.parse(check.read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    return {
        call.args[0].value
        for call in calls
        if call.func.id in ("not_yet", "lost") and call.args and isinstance(call.args[0], ast.Constant)
    }


def _quiz(slug: str) -> Iterator[str]:
    asked = questions.load(settings.LABS / slug / "questions.yaml")
    yield from questions.faults(asked)
    course = syllabus.load()
    topics = {topic.id for topic in course.topics}
    domains = {(exam.id, number) for exam in course.exams for number in range(1, len(exam.domains) + 1)}
    for question in asked:
        if unknown := set(question.topics) - topics:
            yield f"question {question.id}: unknown topics {sorted(unknown)}"
        for place in question.exams:
            if (place.exam, place.domain) not in domains:
                yield f"question {question.id}: no exam and domain {place.exam} {place.domain} in the syllabus"
    own = {topic.id for topic in course.topics if topic.chapter == slug}
    if missing := own - {topic for question in asked for topic in question.topics}:
        yield f"topics without a question: {sorted(missing)}"
    if len({question.kind for question in asked}) < 4:
        yield "the quiz does not use all four kinds of question"


def _pictures(slug: str) -> Iterator[str]:
    files = sorted(settings.DIAGRAMS.glob(f"{slug}_*.svg"))
    if not files:
        yield f"no picture diagrams/{slug}_*.svg"
    notebook = notebooks.read(syllabus.notebook_path(slug))
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for file in files:
        shown = re.search(rf"!\[([^\]]+)\]\(\.\./diagrams/{re.escape(file.name)}\)", text)
        if not shown or len(shown[1]) < 20:
            yield f"the notebook does not show {file.name} with a text for those who cannot see it"
        walk = re.search(r'<metadata id="walk">(.*?)</metadata>', file.read_text(encoding="utf-8"), re.DOTALL)
        if not walk or not json.loads(_unescape(walk[1]))["steps"]:
            yield f"{file.name} has no numbered steps"


def _plan(slug: str) -> Iterator[str]:
    file = settings.LABS / slug / "plan.yaml"
    if not file.is_file():
        return
    yield from (f"plan.yaml: {fault}" for fault in plan.faults(file))
    shown = plan.picture(file)
    if shown and not (settings.DIAGRAMS / f"{slug}_{shown}.svg").is_file():
        yield f"plan.yaml names the picture {shown!r}, which the chapter does not have"


def _unescape(text: str) -> str:
    import html

    return html.unescape(text.removeprefix("<![CDATA[").removesuffix("]]>"))
