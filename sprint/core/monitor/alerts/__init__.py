"""When an operator is to be told, of what, and in which words. Pure: rules, levels, what stands, messages."""
