"""The heavy arithmetic: double SHA-256, merkle root, scrypt.

Callers import from here and do not see which form is bound. Today that is the reference form.
"""

from sprint.core.kernels.reference import HASH_SIZE, merkle_root, scrypt_1024_1_1, sha256d

__all__ = ["HASH_SIZE", "merkle_root", "scrypt_1024_1_1", "sha256d"]
