"""Children that end with who started them: a relay and other parts as processes, for tools that need one."""
