"""What the demo's banks write on a card's stripe: the verification value is psec's."""

import hashlib

from psec import cvv


def track2(pan, expiry):
    """Track 2 with service code 201: expiry, service code, five digits for a PIN's value, CVV, one digit."""
    bank = "bank-a" if pan.startswith("6225") else "bank-b"
    key = hashlib.sha256(f"tollgate demo {bank}/cvk".encode()).digest()[:16]
    return f"{pan}={expiry}20100000{cvv.generate_cvv(key, pan, expiry, '201')}0"
