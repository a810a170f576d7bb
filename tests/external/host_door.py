"""A merchant's host of another make on the door `host`: pyiso8583, X9.19 and PIN blocks by psec, tshark watching."""

import datetime
import itertools
import socket
import unittest

import iso8583
from psec import pinblock

import capture
import cipher
import elements
import station
import stripe

MAC_KEY = bytes.fromhex("89ABCDEF0123456776543210FEDCBA98")
PIN_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
TERMINAL, MERCHANT = "10000003", "898110054110003"
CARD = ("6225000000000253", "3012", "123456")
SPEC = elements.specification("iso87-ascii")
SPEC["64"] = SPEC["128"] = {**SPEC["52"], "len_type": 0, "max_len": 16}
STANS = itertools.count(1)


def signed(mti, fields):
    """The message with its MAC: in DE 64, or in DE 128 if there is a secondary bitmap."""
    place = 128 if max(fields) > 64 else 64
    document = {"t": mti} | {str(number): value for number, value in fields.items()} | {str(place): "0" * 16}
    open_part = bytes(iso8583.encode(document, SPEC)[0])[:-16]
    return open_part + cipher.retail_mac(MAC_KEY, open_part).hex().upper().encode()


def sale(amount, pin=None):
    pan, expiry, right = CARD
    now = datetime.datetime.now()
    block = cipher.encipher(PIN_KEY, pinblock.encode_pinblock_iso_0(pin or right, pan))
    return {
        2: pan, 3: "000000", 4: f"{amount:012d}", 7: now.strftime("%m%d%H%M%S"), 11: f"{next(STANS):06d}",
        12: now.strftime("%H%M%S"), 13: now.strftime("%m%d"), 14: expiry, 22: "021", 25: "00", 26: "12",
        35: stripe.track2(pan, expiry), 41: TERMINAL, 42: MERCHANT, 49: "156", 52: block.hex().upper(),
    }


def reversal(original):
    kept = (2, 3, 4, 11, 12, 13, 14, 22, 25, 41, 42, 49)
    fields = {number: original[number] for number in kept}
    fields[7] = datetime.datetime.now().strftime("%m%d%H%M%S")
    fields[90] = "0200" + original[11] + original[7] + "0" * 22
    return fields


class HostDoor(unittest.TestCase):
    """No sign-in, fixed keys, everything in characters."""

    def setUp(self):
        station.Demo.get()
        self.line = socket.create_connection(station.HOST, 20)
        self.addCleanup(self.line.close)
        self.stream = self.line.makefile("rb")
        self.addCleanup(self.stream.close)

    def exchange(self, wire):
        self.line.sendall(len(wire).to_bytes(2, "big") + wire)
        size = self.stream.read(2)
        self.assertEqual(len(size), 2, "closed by the switch")
        return self.stream.read(int.from_bytes(size, "big"))

    def read(self, wire):
        document, _ = iso8583.decode(wire, SPEC)
        return {"mti": document["t"]} | {int(n): v for n, v in document.items() if n.isdigit() and n != "1"}

    def verified(self, wire):
        expected = cipher.retail_mac(MAC_KEY, wire[:-16]).hex().upper()
        self.assertEqual(wire[-16:].decode(), expected, "the answer's MAC")
        fields = self.read(wire)
        self.assertIn(128 if max(n for n in fields if n != "mti") > 64 else 64, fields)
        return fields

    def test_a_sale_is_approved_under_the_fixed_keys(self):
        sent = sale(25_00)
        answer = self.verified(self.exchange(signed("0200", sent)))
        self.assertEqual((answer["mti"], answer[39]), ("0210", "00"))
        for echoed in (3, 4, 7, 11, 41, 42, 49):
            self.assertEqual(answer[echoed], sent[echoed], f"DE {echoed}")

    def test_an_authorization_is_answered(self):
        answer = self.verified(self.exchange(signed("0100", sale(26_00))))
        self.assertEqual((answer["mti"], answer[39]), ("0110", "00"))

    def test_a_wrong_pin_is_55_and_a_wrong_mac_a0(self):
        self.assertEqual(self.verified(self.exchange(signed("0200", sale(25_00, "111111"))))[39], "55")
        wire = signed("0200", sale(25_00))
        altered = wire[:-16] + (b"0" * 16 if wire[-16:] != b"0" * 16 else b"1" * 16)
        self.assertEqual(self.read(self.exchange(altered))[39], "A0")

    def test_a_reversal_signs_and_is_signed_in_de_128(self):
        sent = sale(27_00)
        self.assertEqual(self.verified(self.exchange(signed("0200", sent)))[39], "00")
        answer = self.verified(self.exchange(signed("0400", reversal(sent))))
        self.assertEqual((answer["mti"], answer[39]), ("0410", "00"))

    def test_an_echo_needs_no_mac(self):
        now = datetime.datetime.now().strftime("%m%d%H%M%S")
        document = {"t": "0800", "7": now, "11": f"{next(STANS):06d}", "41": TERMINAL, "70": "301"}
        answer = self.read(self.exchange(bytes(iso8583.encode(document, SPEC)[0])))
        self.assertEqual((answer["mti"], answer[39], answer[70]), ("0810", "00", "301"))

    def test_tshark_reads_what_was_sent_and_answered(self):
        if not capture.available():
            self.skipTest("tshark is not here or may not capture on loopback")
        with capture.Capture(station.HOST[1]) as watching:
            wires = []
            bought = sale(28_00)
            declined = sale(10_51)
            for mti, fields in (("0200", bought), ("0200", declined), ("0400", reversal(bought))):
                wires.append(signed(mti, fields))
                wires.append(self.exchange(wires[-1]))
            dissected = watching.messages(len(wires))
        self.assertEqual(dissected, [self.read(wire) for wire in wires])
        self.assertEqual([fields.get(39) for fields in dissected], [None, "00", None, "51", None, "00"])


if __name__ == "__main__":
    unittest.main()
