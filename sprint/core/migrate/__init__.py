"""What `sprint migrate` decides: files, their order, what a statement locks, how two schemas differ."""
