"""One thin module a command or scheduled task."""
