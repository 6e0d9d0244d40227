"""What `cb-chaos` does: puts faults on, watches, and takes every one of them off again."""
