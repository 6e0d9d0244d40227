"""The store in PostgreSQL: the same log, in tables of one database that several programs may read.

`store.open_store` opens it. `link` connects and says what went wrong, `session` owns the connection that
writes, `transaction` writes a group, `days` keeps the partitions, `reader` answers, `upkeep` deletes what is
too old. psycopg is imported here and in the migrations' dialect alone, and comes with the extra `postgres`.
"""
