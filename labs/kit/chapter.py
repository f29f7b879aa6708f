"""A chapter as the learner meets it: open it, check, take a hint, see the picture, answer the quiz, clean up."""

from __future__ import annotations

import importlib
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labs import settings
from labs.kit import exercise, present, progress, syllabus
from labs.kit.verdict import Verdict, blind

if TYPE_CHECKING:
    from collections.abc import MutableMapping

START = "python3 -m labs start"


def open_chapter(slug: str) -> Chapter:
    """Open a chapter: point AWS clients at the local AWS, mend what has stopped, say in a line what is there.

    Args:
        slug: the chapter's slug, e.g. `ecs_service`.

    Raises:
        LookupError: no chapter has that slug; the message names the nearest one.
    """
    from labs.cloud import environment, guard

    entry = syllabus.chapter(slug)
    guard.install()
    environment.apply(os.environ)
    _tools_first(os.environ)
    chapter = Chapter(entry)
    chapter.prepare()
    chapter.record("opened")
    return chapter


class Chapter:
    """What `open_chapter` returns. Every method shows something; none hides a call to Docker or AWS."""

    def __init__(self, entry: syllabus.Chapter) -> None:
        self._entry = entry
        self.slug = entry.slug
        self._lives: dict[str, Any] = {}  # live pictures, by the cell that shows them

    def __repr__(self) -> str:
        return f"<Chapter {self._entry.number:02d} {self.slug}>"

    def prepare(self) -> None:
        """Look for what the chapter needs; start the local AWS again where it has stopped; say what is there."""
        found, missing = [], []
        if "docker" in self._entry.needs:
            self._note(found, missing, _docker())
        if "cloud" in self._entry.needs:
            self._note(found, missing, _cloud())
            if lacks := _lacking(self.slug):
                missing.append(lacks)
        title = f"Chapter {self._entry.number:02d}, {self._entry.title}"
        if missing:
            present.card("note", f"{title}. {' '.join(missing)} You can read on; cells that need it will not run.")
        else:
            present.card("note", f"{title}. {' '.join(found) or 'Nothing else is needed.'}")

    def check(self, name: str) -> None:
        """Look at the real engine and the real local AWS and say how far the exercise is."""
        task = self._exercise(name)
        verdict = self._look(task)
        message = verdict.message
        if verdict.state == "not_yet" and (left := len(task.hints) - self._hints_taken(name)):
            message += f" Stuck? `chapter.hint({name!r})` gives a hint ({left} left)."
        present.card(verdict.state, message)
        first_time = verdict.state == "done" and not self._solved(name)
        self.record("check", exercise=name, state=verdict.state, id=verdict.id)
        if first_time:
            present.markdown(f"**Why it works.** {task.debrief}")

    def hint(self, name: str) -> None:
        """Show the next hint, one at a time; after the last one, all of them again."""
        task = self._exercise(name)
        taken = self._hints_taken(name)
        if taken >= len(task.hints):
            numbered = "\n".join(f"{n}. {hint}" for n, hint in enumerate(task.hints, 1))
            present.markdown(f"All hints:\n\n{numbered}\n\n`chapter.solution({name!r})` shows a solution.")
            return
        present.markdown(f"**Hint {taken + 1} of {len(task.hints)}.** {task.hints[taken]}")
        self.record("hint", exercise=name, number=taken + 1)

    def solution(self, name: str) -> None:
        """Show one way to solve the exercise. It is shown, not run."""
        task = self._exercise(name)
        present.markdown(f"One way to do it:\n\n```python\n{task.solution.strip()}\n```")
        self.record("solution", exercise=name)

    def reset(self, name: str) -> None:
        """Remove what this exercise made, so that it can be begun again. Other exercises are not touched."""
        task = self._exercise(name)
        if _goes_by_tags("reset") or self._failed("reset", task.reset):
            return
        self.record("reset", exercise=name)
        present.card("note", f"The exercise {name!r} is back at its start.")

    def quiz(self, plain: bool = False) -> Any:
        """The chapter's questions.

        Args:
            plain: ask in plain text, for terminals, screen readers and places without widgets.
        """
        from labs.kit import questions, quiz

        asked = questions.load(settings.LABS / self.slug / "questions.yaml")
        seed = self._seed()

        def on_answer(question_id: str, answer: Any, right: bool) -> None:
            self.record("answer", question=question_id, answer=answer, right=right)

        if plain:
            quiz.ask(asked, seed, on_answer)
            return None
        answers = {e["question"]: e["answer"] for e in progress.events(self.slug) if e["event"] == "answer"}
        return quiz.quiz_widget(asked, seed, answers, on_answer)

    def picture(self, name: str | None = None) -> None:
        """Show a picture of the chapter; without a name, its first."""
        from labs.kit import walk

        file = self._picture(name)
        present.picture(file.read_text(encoding="utf-8"), walk.walk_text(file))

    def walk(self, name: str | None = None, plain: bool = False) -> Any:
        """Step through a picture's numbered arrows, a sentence each; `plain=True` prints the sentences."""
        from labs.kit import walk

        file = self._picture(name)
        if plain:
            print(walk.walk_text(file))
            return None
        return walk.walk_widget(file)

    def live(self, plain: bool = False) -> Any:
        """What exists now of the chapter, drawn, while it changes; `plain=True` prints it once, as a list."""
        from labs.kit import live
        from labs.kit.live.plan import read_plan

        plan = read_plan(self.slug)
        if plain:
            print(live.as_text(plan))
            return None
        cell = present.cell_id()
        if earlier := self._lives.pop(cell, None):  # the same cell again: its first picture is gone from the page
            earlier.close()
        self._lives[cell] = widget = live.live_widget(self._entry.title, plan)
        if cell:
            widget.expect_page()
        return widget

    def map(self) -> None:
        """The map of the course with this learner's progress."""
        done, answered, opened = _tally()
        course = syllabus.load()
        parts = {part.id: part.title for part in course.parts}
        rows = []
        for entry in course.chapters:
            if entry.state == "planned":
                rows.append((f"{entry.number:02d}", entry.title, parts[entry.part], "to come", "", ""))
                continue
            tasks, asked = exercise.names(entry.slug), _question_ids(entry.slug)
            solved = len(done[entry.slug] & set(tasks))
            right = sum(answered[entry.slug].get(question, False) for question in asked)
            complete = solved == len(tasks) and right == len(asked)
            state = "complete" if complete else "begun" if entry.slug in opened else "not begun"
            title = f"[{entry.title}]({syllabus.notebook_path(entry.slug).name})"
            score = (f"{solved} of {len(tasks)}", f"{right} of {len(asked)}")
            rows.append((f"{entry.number:02d}", title, parts[entry.part], state, *score))
        header = ("No.", "Chapter", "Part", "State", "Exercises done", "Questions right")
        present.table(header, rows, "The course, and how far you are")

    def clean_up(self) -> None:
        """Remove everything that this chapter made, look again, and say what is left."""
        lab = importlib.import_module(f"labs.{self.slug}.lab")
        if _goes_by_tags("clean-up") or self._failed("clean-up", lab.reset):
            return
        left = lab.leftovers()
        self.record("cleaned", left=len(left))
        if left:
            present.card("not_yet", f"Still there: {' '.join(left)} Run `chapter.clean_up()` once more.")
        else:
            present.card("done", "Clean. I looked again: nothing that this chapter made is left.")

    def next(self) -> None:
        """What comes after this chapter."""
        open_tasks = [name for name in exercise.names(self.slug) if not self._solved(name)]
        if open_tasks:
            present.card(
                "note", f"Still open here: {', '.join(f'`{name}`' for name in open_tasks)}. You can come back to them."
            )
        following = syllabus.next_ready(self.slug)
        if following is None:
            present.markdown("This is the last chapter there is so far.")
        else:
            file = syllabus.notebook_path(following.slug).name
            present.markdown(
                f"Next: [{following.number:02d} {following.title}]({file}), about {following.minutes} minutes."
            )

    def record(self, event: str, **fields: Any) -> None:
        """Write one event to the learner's progress; where that fails, say so and go on."""
        try:
            progress.record(self.slug, event, **fields)
        except progress.ProgressError as error:
            present.card("note", str(error))

    def _look(self, task: exercise.Exercise) -> Verdict:
        self._mend()
        try:
            return task.check()
        except Exception as error:  # a learner must never meet a traceback of ours
            return _explain(error)

    def _failed(self, what: str, action: Any) -> bool:
        self._mend()
        try:
            action()
        except Exception as error:
            verdict = _explain(error)
            present.card("blind", f"The {what} did not finish: {verdict.message}")
            return True
        return False

    def _mend(self) -> None:
        if "cloud" in self._entry.needs:
            ok, sentence = _cloud(quiet=True)
            if sentence:
                present.card("note" if ok else "blind", sentence)

    @staticmethod
    def _note(found: list[str], missing: list[str], answer: tuple[bool, str]) -> None:
        ok, sentence = answer
        (found if ok else missing).append(sentence)

    def _exercise(self, name: str) -> exercise.Exercise:
        return exercise.load(self.slug, name)

    def _hints_taken(self, name: str) -> int:
        return sum(e["event"] == "hint" and e.get("exercise") == name for e in progress.events(self.slug))

    def _solved(self, name: str) -> bool:
        return name in _tally()[0][self.slug]

    def _seed(self) -> str:
        try:
            return progress.shuffle_seed()
        except progress.ProgressError as error:
            present.card("note", str(error))
            return self.slug

    def _picture(self, name: str | None) -> Path:
        files = sorted(settings.DIAGRAMS.glob(f"{self.slug}_*.svg"))
        known = {file.stem.removeprefix(f"{self.slug}_"): file for file in files}
        if name is None and files:
            return files[0]
        if name in known:
            return known[name]
        raise LookupError(f"Chapter {self.slug!r} has no picture {name!r}. It has: {', '.join(known) or 'none'}.")


def _tally() -> tuple[dict[str, set[str]], dict[str, dict[str, bool]], set[str]]:
    """Of each chapter: exercises done, last answer to each question right or not; and the chapters opened."""
    done: dict[str, set[str]] = defaultdict(set)
    answered: dict[str, dict[str, bool]] = defaultdict(dict)
    opened: set[str] = set()
    for event in progress.events():
        opened.add(event["chapter"])
        if event["event"] == "check" and event.get("state") == "done":
            done[event["chapter"]].add(event["exercise"])
        elif event["event"] == "answer":
            answered[event["chapter"]][event["question"]] = bool(event["right"])
    return done, answered, opened


def _question_ids(slug: str) -> list[str]:
    from labs.kit import questions

    return [question.id for question in questions.load(settings.LABS / slug / "questions.yaml")]


def _tools_first(environ: MutableMapping[str, str]) -> None:
    """Put the environment's own programs first on PATH, so that `!aws` is the course's, under its guard."""
    own = str(Path(sys.executable).parent)
    rest = [folder for folder in environ.get("PATH", "").split(os.pathsep) if folder != own]
    environ["PATH"] = os.pathsep.join([own, *rest])


def _docker() -> tuple[bool, str]:
    """Whether an engine answers, and a sentence about it. Points this kernel's clients at it."""
    from labs.machine import engine

    found = engine.use()
    if found is None:
        return False, f"No Docker engine answers. Run `{START}` in a terminal: it starts or installs one, or says how."
    return True, f"Docker {found.version} answers."


def _cloud(quiet: bool = False) -> tuple[bool, str]:
    """Whether the local AWS answers, and a sentence about it; quiet says nothing where nothing had to be done."""
    from labs.cloud import server

    try:
        started = server.ensure_running()
    except server.CloudError as error:
        return False, f"The local AWS is not there: {error}"
    if started.how == "running":
        sentence = "" if quiet else f"The local AWS answers at {settings.gateway_url()} ({settings.backend()})."
        if settings.backend() == "aws" and not quiet:
            sentence = (
                f"This is the REAL AWS ACCOUNT {settings.chosen_backend().get('account')}: what is made costs money."
            )
        return True, sentence
    return True, started.message


def _goes_by_tags(what: str) -> bool:
    """Whether a reset by names must not be: in a real account they may be other people's. Says what to do instead."""
    if settings.backend() != "aws":
        return False
    present.card(
        "note",
        f"This is a real AWS account, and a {what} goes by names. Run `python3 -m labs clean_up` in a terminal: it "
        "removes what carries the course's tags, and nothing else.",
    )
    return True


def _lacking(slug: str) -> str:
    """What the chosen backend has not of what a chapter needs, in a sentence; empty if it has all."""
    from labs.cloud import server
    from labs.cloud.backends import table

    name = settings.backend()
    if name == "embedded":
        running: list[str] = []
    else:
        running = (server.health() or {}).get("services", [])
    lacks = table.lacking(slug, name, running)
    return f"The backend '{name}' has not all that this chapter needs: {'; '.join(lacks)}." if lacks else ""


def _explain(error: Exception) -> Verdict:
    """Turn what stopped a check into a sentence with its cure."""
    modules = {cls.__module__.split(".")[0] for cls in type(error).__mro__}
    if modules & {"docker", "requests"} and not getattr(error, "response", None):
        return blind(
            "engine_away", f"The Docker engine does not answer. Start Docker, or run `{START}`, then check again."
        )
    if "botocore" in modules and not hasattr(error, "response"):
        return blind("cloud_away", f"The local AWS does not answer. Run `{START}` in a terminal, then check again.")
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return blind(
        "check_failed",
        "Something unexpected stopped me; it is a fault of the course, not of yours. "
        f"It said: {type(error).__name__}: {error}. `python3 -m labs doctor` may tell more.",
    )
