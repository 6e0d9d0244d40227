"""The breakers of a process over HTTP and WebSocket: what they are, were, and are told by an operator."""
