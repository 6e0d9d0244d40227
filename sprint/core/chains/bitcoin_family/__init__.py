"""The Bitcoin family: 80-byte headers with proof of work, transactions under a merkle root.

A chain of the family is constants (`parameters`) and this package. `family` is what a chain module
instantiates; its processor runs the rules of `header`, `proof_of_work`, `transaction` and `block`.
"""
