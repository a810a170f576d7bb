"""The demo's banks asked directly: PIN blocks by psec, AES-CMAC and X9.19 by foreign code, messages by pyiso8583.

Only inquiries and declines: the demo checks at its end that its books agree with the switch's.
"""

import datetime
import hashlib
import itertools
import socket
import unittest

from psec import pinblock

import cipher
import foreign_issuer
import station

STANS = itertools.count(1)


def demo_key(name):
    """A bank key of the demo, as its key list describes them."""
    return hashlib.sha256(f"tollgate demo {name}".encode()).digest()[:16]


def bank(name, dialect, mac, pin_format):
    return foreign_issuer.Bank(dialect, mac, demo_key(f"{name}/zak"), pin_format, demo_key(f"{name}/zpk"))


BANK_A = bank("bank-a", "iso87-binary", cipher.aes_cmac, 3)
BANK_B = bank("bank-b", "iso93-ascii", cipher.retail_mac, 0)
VISITORS = (
    (9101, BANK_A, "6225000000000253", "123456"),
    (9102, BANK_B, "4111111111111111", "1234"),
    (9102, BANK_B, "5555555555554444", "4321"),
)


def inquiry(bank, pan, pin):
    """A balance inquiry as a switch sends it."""
    now = datetime.datetime.now()
    encode = {0: pinblock.encode_pinblock_iso_0, 3: pinblock.encode_pinblock_iso_3}[bank.pin_format]
    stan = next(STANS)
    fields = {
        "2": pan, "3": "310000", "7": now.strftime("%m%d%H%M%S"), "11": f"{stan:06d}", "14": "3012", "32": "89811000",
        "37": f"{stan:012d}", "41": "10000005", "42": "898110054110005", "49": "156",
        "52": cipher.encipher(bank.pin_key, encode(pin, pan)).hex().upper(),
    }
    if bank.dialect.startswith("iso93"):
        return {"t": "1200", **fields, "12": now.strftime("%y%m%d%H%M%S"), "22": "021000000000", "24": "200"}
    return {"t": "0200", **fields, "12": now.strftime("%H%M%S"), "13": now.strftime("%m%d"), "22": "021", "25": "00"}


class Banks(unittest.TestCase):
    """What psec and cryptography make, the demo's banks accept; what they sign, we verify."""

    def ask(self, port, wire):
        station.Demo.get()
        with socket.create_connection(("127.0.0.1", port), 10) as line, line.makefile("rb") as stream:
            line.sendall(len(wire).to_bytes(2, "big") + wire)
            return stream.read(int.from_bytes(stream.read(2), "big"))

    def code(self, port, bank, wire):
        del bank.faults[:]
        answer = bank.verified(self.ask(port, wire))
        self.assertEqual(bank.faults, [])
        return answer["39"]

    def test_a_pin_block_of_psec_and_a_foreign_mac_are_accepted(self):
        for port, bank, pan, pin in VISITORS:
            with self.subTest(card=pan[:6]):
                approved = "000" if bank is BANK_B else "00"
                self.assertEqual(self.code(port, bank, bank.signed(inquiry(bank, pan, pin))), approved)

    def test_a_wrong_pin_is_refused(self):
        for port, bank, pan, pin in VISITORS:
            with self.subTest(card=pan[:6]):
                refused = "117" if bank is BANK_B else "55"
                wrong = inquiry(bank, pan, pin[::-1])
                self.assertEqual(self.code(port, bank, bank.signed(wrong)), refused)

    def test_a_wrong_mac_is_no_approval(self):
        for port, bank, pan, pin in VISITORS[:2]:
            with self.subTest(card=pan[:6]):
                wire = bank.signed(inquiry(bank, pan, pin))
                size = 8 if bank.binary else 16
                altered = wire[:-size] + (b"\0" * 8 if bank.binary else b"0" * 16)
                self.assertNotIn(self.code(port, bank, altered), ("00", "000"))


if __name__ == "__main__":
    unittest.main()
