"""What a node publishes over ZMQ: frames in, announcements out; and the frames that a publisher sends.

A publisher only tells. It serves neither headers nor bodies, keeps nothing, and drops silently what a
subscriber is too slow for: the number that each message carries is the only trace of a loss.
"""
