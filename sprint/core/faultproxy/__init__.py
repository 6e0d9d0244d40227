"""The pure part of the TCP fault proxy: what toxics do with bytes and time, and the words of its API."""
