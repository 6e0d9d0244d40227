"""The TCP fault proxy on sockets: connections through it, and faults on them, in process and over HTTP."""
