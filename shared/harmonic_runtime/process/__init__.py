"""How a process starts, runs and stops: settings, clock, tasks, lifecycle."""
