"""Chip cards of another make at the door `pos`: cryptograms by pyemv, and what the issuer answers checked by it."""

import itertools
import secrets
import unittest
import warnings

import cnpos
import station
import stripe

warnings.simplefilter("ignore")
from pyemv import cvn  # noqa: E402  the import itself warns of DES

TERMINAL, MERCHANT = "10000006", "898110054110006"
STANS = itertools.count(1)
ATCS = itertools.count(1)
# The demo's visitors, and the version of their chips in its list of cards.
VISA_10, VISA_18, MCHIP_17 = ("6225000000000253", "3012"), ("4111111111111111", "3012"), ("5555555555554444", "3012")
# What the covered objects are but for amount, counter and unpredictable number.
FIXED = {
    "9F03": "000000000000", "9F1A": "0156", "95": "0000048000", "5F2A": "0156", "9A": "261122", "9C": "00", "82": "1C00",
}


def tlv(objects):
    return b"".join(
        bytes.fromhex(tag) + bytes([len(value)]) + value for tag, value in objects.items()
    )


def objects(data):
    """Tags and values of one level."""
    found, at = {}, 0
    while at < len(data):
        width = 2 if data[at] & 0x1F == 0x1F else 1
        tag, length = data[at : at + width].hex().upper(), data[at + width]
        at += width + 1
        found[tag] = data[at : at + length]
        at += length
    return found


class Chip:
    """One transaction of a card."""

    def __init__(self, card, amount):
        self.card = card
        self.objects = {tag: bytes.fromhex(value) for tag, value in FIXED.items()}
        self.objects |= {
            "9F02": bytes.fromhex(f"{amount:012d}"),
            "9F36": next(ATCS).to_bytes(2, "big"),
            "9F37": secrets.token_bytes(4),
            "9F27": b"\x80",
        }
        kind, self.objects["9F10"] = {
            VISA_10: (cvn.VisaCVN10, bytes.fromhex("06010A03A02000")),
            VISA_18: (cvn.VisaCVN18, bytes.fromhex("06011203A02000")),
            MCHIP_17: (cvn.MasterCardCVN17, bytes.fromhex("0111A000010000000000") + secrets.token_bytes(8)),
        }[card]
        master = stripe.key(card[0], "imk")
        self.scheme = kind(master, master, master, card[0], "01")
        self.objects["9F26"] = self.cryptogram()

    def cryptogram(self):
        tags = ("9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36")
        covered = {f"tag_{tag.lower()}": self.objects[tag] for tag in tags}
        said = self.objects["9F10"]
        if self.card == VISA_10:
            return self.scheme.generate_ac(**covered, cvr=said[3:7])
        if self.card == VISA_18:
            return self.scheme.generate_ac(**covered, tag_9f10=said)
        return self.scheme.generate_ac(**covered, cvr=said[2:8], counters=said[10:18])

    def expects(self, approved):
        """Tag 91 of an answer."""
        arqc = self.objects["9F26"]
        if self.card == VISA_10:
            code = b"00" if approved else b"05"
            return self.scheme.generate_arpc(arqc, code) + code
        if self.card == VISA_18:
            status = b"\0\x80\0\0" if approved else bytes(4)
            return self.scheme.generate_arpc(arqc, self.objects["9F36"], status) + status
        code = b"\0\x10" if approved else b"\0\0"
        return self.scheme.generate_arpc(arqc, code) + code


class ChipCards(unittest.TestCase):
    """Terminal 10000006, which simulated traffic leaves alone."""

    def setUp(self):
        station.Demo.get()
        self.line = cnpos.Line(station.POS)
        self.addCleanup(self.line.close)
        self.terminal = cnpos.Terminal(self.line, TERMINAL, MERCHANT, cnpos.derived_key(TERMINAL))
        self.terminal.stans = STANS
        self.terminal.sign_in()

    def ask(self, chip, amount, track=stripe.equivalent):
        fields = self.terminal.sale_fields(amount, chip.card, entry="05")
        fields |= {23: "001", 35: track(*chip.card), 55: tlv(chip.objects).hex().upper()}
        return self.terminal.ask("0200", fields)

    def said(self, answer):
        return objects(bytes.fromhex(answer.get(55, ""))).get("91")

    def test_true_cryptograms_are_approved_and_answered(self):
        for card in (VISA_10, VISA_18, MCHIP_17):
            for _ in range(5):
                with self.subTest(card=card[0][:6]):
                    chip = Chip(card, 3_00)
                    answer = self.ask(chip, 3_00)
                    self.assertEqual(answer[39], "00")
                    self.assertEqual(self.said(answer), chip.expects(True))

    def test_a_decline_is_answered_as_one(self):
        for card in (VISA_10, VISA_18, MCHIP_17):
            with self.subTest(card=card[0][:6]):
                chip = Chip(card, 3_51)
                answer = self.ask(chip, 3_51)
                self.assertEqual(answer[39], "51")
                self.assertEqual(self.said(answer), chip.expects(False))

    def test_a_cryptogram_over_something_else_is_05_and_not_answered(self):
        for card in (VISA_10, VISA_18, MCHIP_17):
            for tag in ("9F26", "9F02", "9F37", "9F36", "95"):
                with self.subTest(card=card[0][:6], tag=tag):
                    chip = Chip(card, 3_00)
                    chip.objects[tag] = chip.objects[tag][:-1] + bytes([chip.objects[tag][-1] ^ 1])
                    answer = self.ask(chip, 3_00)
                    self.assertEqual((answer[39], self.said(answer)), ("05", None))

    def test_a_stripes_value_in_a_chips_track_is_59(self):
        for card in (VISA_10, VISA_18, MCHIP_17):
            with self.subTest(card=card[0][:6]):
                self.assertEqual(self.ask(Chip(card, 3_00), 3_00, stripe.track2)[39], "59")
                swiped = self.terminal.sale_fields(3_00, card) | {35: stripe.equivalent(*card)}
                self.assertEqual(self.terminal.ask("0200", swiped)[39], "59")


if __name__ == "__main__":
    unittest.main()
