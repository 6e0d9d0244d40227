"""The load tester: generators on an open-loop schedule, each in a process of its own, and what shows them."""
