"""A terminal of another make: signs in, buys, is declined, repeats itself, reverses, over the door `pos`."""

import itertools
import time
import unittest

import cnpos
import station

MERCHANT = "898110054110001"
MASTER_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
BANK_A = ("6225000000000253", "3012")
BANK_B = ("4111111111111111", "3012")
PINS = {BANK_A: "123456", BANK_B: "1234"}
AMOUNT = 1_00
# One counter for all tests: a terminal that uses a number of its batch again repeats itself.
STANS = itertools.count(1)


class OneTerminal(unittest.TestCase):
    """Terminal 10000001, which simulated traffic leaves alone."""

    def setUp(self):
        station.Demo.get()
        self.line = cnpos.Line(station.POS)
        self.addCleanup(self.line.close)
        self.terminal = cnpos.Terminal(self.line, "10000001", MERCHANT, MASTER_KEY)
        self.terminal.stans = STANS
        self.terminal.sign_in()

    def eventually(self, expected, measure, seconds=20):
        """Waits for what store-and-forward brings about."""
        end = time.monotonic() + seconds
        while (found := measure()) != expected and time.monotonic() < end:
            time.sleep(0.2)
        self.assertEqual(found, expected)

    def balance(self, card=BANK_A):
        return self.terminal.balance(card, PINS[card])

    def test_sign_in_delivers_keys_in_each_layout(self):
        for layout in ("003", "004"):
            with self.subTest(layout=layout):
                fields = self.terminal.sign_in(layout)
                self.assertEqual(len(fields[62]) // 2, {"003": 40, "004": 60}[layout])
                self.assertEqual(fields[60][8:11], layout)
                self.assertEqual(fields[41], "10000001")
                _, answer = self.terminal.sale(AMOUNT, BANK_A, PINS[BANK_A])
                self.assertEqual(answer[39], "00")

    def test_single_length_keys_are_40_where_the_door_does_not_say_otherwise(self):
        _, fields = cnpos.decode(self.terminal.exchange(self.terminal.sign_in_request("001")))
        self.assertEqual(fields[39], "40")
        self.assertNotIn(62, fields)

    def test_a_sale_with_a_pin_is_approved_and_booked_once(self):
        for card in (BANK_A, BANK_B):
            with self.subTest(card=card[0][:6]):
                before = self.balance(card)
                sent, answer = self.terminal.sale(1234_00, card, PINS[card])
                self.assertEqual(answer[39], "00")
                for echoed in (3, 4, 11, 25, 41, 42, 49, 60):
                    self.assertEqual(answer[echoed], sent[echoed], f"DE {echoed}")
                self.assertEqual(len(answer[37].strip()), 12)
                self.assertRegex(answer[12] + answer[13], r"^\d{10}$")
                self.assertEqual(self.balance(card), before - 1234_00)

    def test_a_manual_sale_without_pin_is_approved(self):
        fields = self.terminal.sale_fields(AMOUNT, BANK_B, entry="01")
        answer = self.terminal.verified(self.terminal.exchange(self.terminal.signed("0200", fields)))
        self.assertEqual(answer[39], "00")

    def test_cents_choose_the_issuers_answer(self):
        before = self.balance()
        for code in ("51", "14", "61", "05"):
            with self.subTest(code=code):
                _, answer = self.terminal.sale(10_00 + int(code), BANK_A, PINS[BANK_A])
                self.assertEqual(answer[39], code)
        self.assertEqual(self.balance(), before)

    def test_approvals_with_another_code_book_in_full(self):
        before = self.balance()
        for cents in (11, 16):
            _, answer = self.terminal.sale(10_00 + cents, BANK_A, PINS[BANK_A])
            self.assertEqual(answer[39], str(cents))
        self.assertEqual(self.balance(), before - 20_27)

    def test_a_wrong_pin_is_declined_with_55(self):
        before = self.balance()
        _, answer = self.terminal.sale(AMOUNT, BANK_A, "654321")
        self.assertEqual(answer[39], "55")
        self.assertEqual(self.balance(), before)

    def test_a_wrong_mac_is_answered_a0_and_nobody_is_locked(self):
        body = self.terminal.signed("0200", self.terminal.sale_fields(AMOUNT, BANK_A, PINS[BANK_A]))
        answer = self.terminal.exchange(body[:-8] + (b"0000000F" if body[-8:] != b"0000000F" else b"00000000"))
        mti, fields = cnpos.decode(answer)
        self.assertEqual((mti, fields[39]), ("0210", "A0"))
        _, answer = self.terminal.sale(AMOUNT, BANK_A, PINS[BANK_A])
        self.assertEqual(answer[39], "00")

    def test_an_altered_amount_does_not_pass_the_mac(self):
        fields = self.terminal.sale_fields(AMOUNT, BANK_A, PINS[BANK_A])
        good = self.terminal.signed("0200", fields)
        other = cnpos.encode("0200", fields | {4: f"{AMOUNT * 100:012d}", 64: good[-8:].decode()})
        self.assertEqual(cnpos.decode(self.terminal.exchange(other))[1][39], "A0")

    def test_a_repeat_gets_the_identical_answer_and_books_nothing(self):
        before = self.balance()
        body = self.terminal.signed("0200", self.terminal.sale_fields(AMOUNT, BANK_A, PINS[BANK_A]))
        first = self.terminal.exchange(body)
        self.assertEqual(self.terminal.verified(first)[39], "00")
        self.assertEqual(self.terminal.exchange(body).hex(), first.hex())
        self.assertEqual(self.balance(), before - AMOUNT)

    def test_the_same_number_with_another_amount_is_refused_with_94(self):
        fields = self.terminal.sale_fields(AMOUNT, BANK_A, PINS[BANK_A])
        self.terminal.exchange(self.terminal.signed("0200", fields))
        other = self.terminal.signed("0200", fields | {4: f"{AMOUNT + 1_00:012d}"})
        self.assertEqual(cnpos.decode(self.terminal.exchange(other))[1][39], "94")

    def test_a_silent_issuer_means_68_and_no_money_moved(self):
        for cents, card in ((2, BANK_A), (3, BANK_A), (2, BANK_B), (3, BANK_B)):
            with self.subTest(amount=f"666.{cents:02d}", card=card[0][:6]):
                before = self.balance(card)
                began = time.monotonic()
                _, answer = self.terminal.sale(666_00 + cents, card, PINS[card])
                self.assertEqual(answer[39], "68")
                self.assertGreater(time.monotonic() - began, 4)
                self.eventually(before, lambda card=card: self.balance(card))

    def test_a_late_answer_changes_nothing(self):
        for card in (BANK_A, BANK_B):
            with self.subTest(card=card[0][:6]):
                before = self.balance(card)
                _, answer = self.terminal.sale(666_04, card, PINS[card])
                self.assertEqual(answer[39], "68")
                self.eventually(before, lambda card=card: self.balance(card))

    def test_a_slow_issuer_and_one_byte_at_a_time_are_still_answers(self):
        for cents in (1, 10):
            _, answer = self.terminal.sale(666_00 + cents, BANK_A, PINS[BANK_A])
            self.assertEqual(answer[39], "00", f"666.{cents:02d}")

    def test_an_answer_that_cannot_be_trusted_is_no_answer(self):
        for cents in (6, 7, 8, 9):
            with self.subTest(amount=f"666.{cents:02d}"):
                before = self.balance()
                _, answer = self.terminal.sale(666_00 + cents, BANK_A, PINS[BANK_A])
                self.assertEqual(answer[39], "68")
                self.eventually(before, self.balance)

    def test_a_reversal_is_answered_00_and_the_balance_is_restored(self):
        before = self.balance()
        sale, answer = self.terminal.sale(500_00, BANK_A, PINS[BANK_A])
        self.assertEqual(answer[39], "00")
        self.assertEqual(self.terminal.reverse(sale)[39], "00")
        self.eventually(before, self.balance)
        self.assertEqual(self.terminal.reverse(sale)[39], "00", "a repeated reversal")
        self.assertEqual(self.balance(), before)

    def test_a_reversal_that_overtakes_its_sale_wins(self):
        before = self.balance()
        sale = self.terminal.sale_fields(500_00, BANK_A, PINS[BANK_A])
        self.assertIn(self.terminal.reverse(sale)[39], ("00", "25"))
        answer = cnpos.decode(self.terminal.exchange(self.terminal.signed("0200", sale)))[1]
        self.assertNotIn(answer[39], ("00", "10", "11", "16", "A2", "A4", "A5", "A6"))
        self.eventually(before, self.balance)

    def test_another_merchant_number_is_refused_with_03(self):
        fields = self.terminal.sale_fields(AMOUNT, BANK_A) | {42: "898110054110002"}
        answer = cnpos.decode(self.terminal.exchange(self.terminal.signed("0200", fields)))[1]
        self.assertEqual(answer[39], "03")

    def test_an_unknown_terminal_is_refused_with_97(self):
        stranger = cnpos.Terminal(self.line, "99999999", MERCHANT, MASTER_KEY)
        fields = cnpos.decode(stranger.exchange(stranger.sign_in_request()))[1]
        self.assertEqual(fields[39], "97")

    def test_an_echo_is_answered(self):
        fields = {11: self.terminal.next_stan(), **self.terminal.identity(), 60: "00" + self.terminal.batch + "301"}
        mti, answer = cnpos.decode(self.terminal.exchange(cnpos.encode("0820", fields)))
        self.assertEqual((mti, answer[39]), ("0830", "00"))

    def test_bytes_may_arrive_one_at_a_time(self):
        body = self.terminal.signed("0200", self.terminal.sale_fields(AMOUNT, BANK_A, PINS[BANK_A]))
        frame = b"\x60" + cnpos.NII + b"\0\0" + cnpos.HEADER + body
        for byte in len(frame).to_bytes(2, "big") + frame:
            self.line.socket.sendall(bytes([byte]))
        self.assertEqual(self.terminal.verified(self.line.receive()[1])[39], "00")


class BadInput(unittest.TestCase):
    """What must close one connection and trouble nobody else."""

    def setUp(self):
        station.Demo.get()

    def send(self, data):
        line = cnpos.Line(station.POS)
        self.addCleanup(line.close)
        line.socket.sendall(data)
        return line

    def test_an_oversize_length_closes_the_connection(self):
        line = self.send(b"\xff\xff" + bytes(64))
        with self.assertRaises((ConnectionError, TimeoutError)) as caught:
            line.receive()
        self.assertIsInstance(caught.exception, ConnectionError)

    def test_garbage_closes_the_connection(self):
        line = self.send(b"\0\x20" + b"\xa5" * 32)
        with self.assertRaises(ConnectionError):
            line.receive()

    def test_half_a_frame_disturbs_nobody(self):
        self.send(b"\0\x60" + b"\x60\0\x03")
        other = cnpos.Line(station.POS)
        self.addCleanup(other.close)
        key = cnpos.derived_key("10000002")
        cnpos.Terminal(other, "10000002", "898110054110002", key).sign_in()


if __name__ == "__main__":
    unittest.main()
