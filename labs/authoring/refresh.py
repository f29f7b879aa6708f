"""`python3 -m labs refresh [SLUG ...]`: put the tasks in, run, keep only the outputs that are compared."""

import argparse
import os

from labs import settings
from labs.authoring import notebooks, readme
from labs.kit import syllabus


def main(argv: list[str]) -> int:
    """Refresh the named chapters, or all that are ready.

    Args:
        argv: slugs; `--no-run` only puts the tasks in and strips.
    """
    parser = argparse.ArgumentParser(prog="python3 -m labs refresh", description=__doc__)
    parser.add_argument("slug", nargs="*", help="chapters, by slug; all that are ready if none is named")
    parser.add_argument("--no-run", action="store_true", help="put the tasks in and strip; keep the outputs there are")
    options = parser.parse_args(argv)
    from labs.cloud import environment

    environment.apply(os.environ)
    for slug in options.slug or syllabus.ready():
        path = syllabus.notebook_path(slug)
        notebook = notebooks.read(path)
        notebooks.put_tasks(notebook, slug)
        if not options.no_run:
            print(f"Running {path.name} ...", flush=True)
            notebooks.run(notebook, settings.NOTEBOOKS)
        notebooks.strip(notebook)
        notebooks.write(notebook, path)
        print(f"Refreshed {path.relative_to(settings.ROOT)}.")
    if readme.refresh():
        print("Renewed the table of chapters in README.md.")
    return 0
