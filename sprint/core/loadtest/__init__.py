"""What a load test is: its plan, its schedule, its record, its verdict and its report. Pure."""
