"""Notebooks as authors handle them: read, put the tasks and the solutions in, run, strip, write."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labs.kit import exercise

COMPARED = "nbval-check-output"


def read(path: Path) -> NotebookNode:
    """A notebook from a file (format 4)."""
    return nbformat.read(path, as_version=4)


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as git keeps it: one newline at the end, `\\n` everywhere."""
    path.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8", newline="\n")


def tags(cell: NotebookNode) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


def tagged(cell: NotebookNode, prefix: str) -> str | None:
    """What follows `prefix` in the cell's tag, e.g. the exercise's name for `exercise-`."""
    return next((tag.removeprefix(prefix) for tag in sorted(tags(cell)) if tag.startswith(prefix)), None)


def task_text(slug: str, name: str) -> str:
    """The Markdown that stands above an exercise's cell: its title and task, from exercise.yaml."""
    found = exercise.load(slug, name)
    return f"### {found.title}\n\n{found.task.strip()}"


def put_tasks(notebook: NotebookNode, slug: str) -> None:
    """Write each exercise's words into its cell tagged `task-<name>`."""
    for cell in notebook.cells:
        if name := tagged(cell, "task-"):
            cell.source = task_text(slug, name)


def put_solutions(notebook: NotebookNode, slug: str) -> None:
    """Put each exercise's solution into its cell tagged `exercise-<name>`."""
    for cell in notebook.cells:
        if name := tagged(cell, "exercise-"):
            cell.source = exercise.load(slug, name).solution.strip()


def strip(notebook: NotebookNode) -> None:
    """Remove what a run left: counts, widget state, and every output that the text does not talk about."""
    for key in set(notebook.metadata) - {"kernelspec", "language_info"}:
        del notebook.metadata[key]
    notebook.metadata["kernelspec"] = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in notebook.cells:
        for key in set(cell.metadata) - {"tags"}:
            del cell.metadata[key]
    for number, cell in enumerate(code, 1):
        # nbval compares only cells that have a count; the cell's place gives one that does not change from run to run.
        cell.execution_count = number if COMPARED in tags(cell) else None
        if COMPARED not in tags(cell):
            cell.outputs = []
        cell.outputs = _merged(cell.outputs)
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number


def run(notebook: NotebookNode, folder: Path, timeout: int = 600) -> None:
    """Execute a notebook in a folder; outputs stay in it.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=timeout, kernel_name="python3", resources=resources).execute()


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with neighbouring pieces of one stream put together: how a print is cut differs from run to run."""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged
