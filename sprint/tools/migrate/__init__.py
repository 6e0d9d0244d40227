"""The verbs of `sprint migrate`, on SQLite and PostgreSQL."""
