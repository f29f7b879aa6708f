"""Application Auto Scaling: makes the desired count of ECS services follow metrics, alarms and schedules."""
