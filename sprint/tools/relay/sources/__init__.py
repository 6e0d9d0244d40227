"""One file per kind of source: what is connected to, read, and handed to the chain's intake."""
