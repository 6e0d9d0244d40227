"""What `sprint optimize` decides: levels, the plan for a host, what a refusal means, and the undo."""
