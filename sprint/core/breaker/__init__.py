"""The circuit breaker's decisions: the machine, its policy, and the algorithms it asks, one file each."""
