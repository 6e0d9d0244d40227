"""The places that a store under test is kept at."""

from tests.tools.store.homes import home, migrated_database, postgres_home

__all__ = ["home", "migrated_database", "postgres_home"]
