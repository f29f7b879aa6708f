"""EC2 instances of the backend that are real here: bounded slices of the engine in which the ECS agent runs."""
