"""What `cb-chaos` decides: the faults, whom they reach, whether the relay held, how they come off."""
