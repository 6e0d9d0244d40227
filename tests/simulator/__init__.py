"""A simulator without sockets: the relay's core and the devnet's cores on one virtual clock and one seed.

Real sessions on both ends exchange real frames over links that lose, delay, reorder and duplicate them;
nodes fork, lie about headers and bodies and go away; the relay is killed and restarted from what it had
committed. A checker that knows the truth reads the events as a subscriber would. `python -m tests.simulator
SEED` replays one seed and prints its transcript.
"""
