"""Amazon ECS: its API, the life of a task, the containers of a task, the service scheduler."""
