"""Seeds from names."""

import hashlib


def seed_for(*parts: str | int) -> int:
    """A 63-bit seed from names: the purpose first (`init`, `batches`, `noise`, `sampling`), then what it is for.

    Seeds from names keep streams apart and never change because another model, seed or worker came along.
    """
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
