"""EventBridge around our services: their events reach rules, rules and schedules start tasks."""
