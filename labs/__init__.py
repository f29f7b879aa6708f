"""Everything of the course that runs. `python3 -m labs` is its front door; labs/README.md is its map."""
