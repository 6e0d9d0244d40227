"""`sprint optimize` acts: reads the host, changes settings, reads them back, keeps the undo on disk."""
