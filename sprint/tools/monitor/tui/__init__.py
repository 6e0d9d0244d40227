"""The terminal of `cb-monitor`. Textual is imported nowhere else, and here only when one is opened."""
