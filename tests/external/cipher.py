"""psec's DES with keys of 8, 16 or 24 bytes, and the MACs composed over it."""

import warnings

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import algorithms

# psec names TripleDES by the place it had in older releases of the cryptography package.
warnings.filterwarnings("ignore", message="TripleDES has been moved")
from psec import des, mac  # noqa: E402


def _wide(key):
    return (key * 3)[:24]


def encipher(key, data):
    """DES or triple DES, ECB."""
    return des.encrypt_tdes_ecb(_wide(key), data)


def decipher(key, data):
    """The other way round."""
    return des.decrypt_tdes_ecb(_wide(key), data)


def retail_mac(key, data):
    """ANSI X9.19 (ISO/IEC 9797-1 algorithm 3), zero padding, 8 bytes."""
    return mac.generate_retail_mac(_wide(key[:8]), _wide(key[8:]), data, padding=1)


def aes_cmac(key, data):
    """AES-CMAC (NIST SP 800-38B), its first 8 bytes."""
    made = cmac.CMAC(algorithms.AES(key))
    made.update(data)
    return made.finalize()[:8]
