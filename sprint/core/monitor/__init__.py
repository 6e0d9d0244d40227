"""What an operator is shown of breakers: rows, changes between them, and a bounded history. Pure."""
