"""What the demo's banks write on a card: the verification values are psec's."""

import hashlib

from psec import cvv


def key(pan, name):
    """A key of the card's bank, as the demo's list of keys describes them."""
    bank = "bank-a" if pan.startswith("6225") else "bank-b"
    return hashlib.sha256(f"tollgate demo {bank}/{name}".encode()).digest()[:16]


def _track2(pan, expiry, service_code):
    """Expiry, service code 201, five digits for a PIN's value, the verification value, one digit."""
    return f"{pan}={expiry}20100000{cvv.generate_cvv(key(pan, 'cvk'), pan, expiry, service_code)}0"


def track2(pan, expiry):
    """The stripe's, with the CVV."""
    return _track2(pan, expiry, "201")


def equivalent(pan, expiry):
    """The chip's, with the iCVV."""
    return _track2(pan, expiry, "999")
