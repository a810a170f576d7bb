"""A merchant's whole day at a terminal of another make, over the door `pos`: its own totals must be the switch's.

Two batches: one that balances, and one whose terminal forgot a sale and uploads the others.
"""

import time
import unittest

import cnpos
import station

TERMINAL = "10000003"
MERCHANT = "898110054110003"
BANK_A = ("6225000000000253", "3012")
BANK_B = ("5555555555554444", "3012")
PINS = {BANK_A: "123456", BANK_B: "4321"}


class MerchantDay(unittest.TestCase):
    """Terminal 10000003, from its sign-in to its second settlement."""

    @classmethod
    def setUpClass(cls):
        station.Demo.get()
        cls.line = cnpos.Line(station.POS)
        cls.terminal = cnpos.Terminal(cls.line, TERMINAL, MERCHANT, cnpos.derived_key(TERMINAL))
        cls.terminal.sign_in()

    @classmethod
    def tearDownClass(cls):
        cls.line.close()

    def sell(self, amount, card=BANK_A, code="00"):
        sent, answer = self.terminal.sale(amount, card, PINS[card])
        self.assertEqual(answer[39], code)
        return sent, answer

    def settle(self, *sums):
        """Claims the totals; returns the two verdicts. The same message again gets the same answer."""
        fields = self.terminal.settle_fields(*sums)
        first, answer = self.terminal.plain("0500", fields)
        self.assertEqual(answer[39], "00")
        again, _ = self.terminal.plain("0500", fields)
        self.assertEqual(again.hex(), first.hex(), "a settlement again gets the recorded answer")
        return answer[48][30], answer[48][61]

    def eventually(self, expected, measure, seconds=20):
        end = time.monotonic() + seconds
        while (found := measure()) != expected and time.monotonic() < end:
            time.sleep(0.2)
        self.assertEqual(found, expected)

    def test_1_a_day_with_every_kind_balances(self):
        terminal, debits, credits, abroad = self.terminal, [], [], []
        before = {card: terminal.balance(card, PINS[card]) for card in PINS}
        breakfast, breakfast_answer = self.sell(12_00)
        lunch, lunch_answer = self.sell(88_00, BANK_B)
        self.assertEqual((breakfast_answer[63][:3], lunch_answer[63][:3]), ("CUP", "MCC"))
        debits.append(12_00)
        abroad.append(88_00)
        self.sell(40_51, code="51")

        _, answer = terminal.void(breakfast, breakfast_answer, BANK_A)
        self.assertEqual(answer[39], "00")
        debits.remove(12_00)
        _, answer = terminal.void(breakfast, breakfast_answer, BANK_A)
        self.assertNotEqual(answer[39], "00", "what is voided cannot be voided again")

        for part, code in ((30_00, "00"), (58_00, "00"), (1, None)):
            _, answer = terminal.refund(lunch_answer, BANK_B, part)
            if code is None:
                self.assertNotEqual(answer[39], "00", "more than the sale had")
            else:
                self.assertEqual(answer[39], code)
                credits.append(part)

        hold, hold_answer = terminal.hold(500_00, BANK_B, PINS[BANK_B])
        self.assertEqual(hold_answer[39], "00")
        _, answer = terminal.complete(hold, hold_answer, BANK_B, 575_01)
        self.assertNotEqual(answer[39], "00", "over 115 percent of the hold")
        _, answer = terminal.complete(hold, hold_answer, BANK_B, 560_00)
        self.assertEqual(answer[39], "00")
        abroad.append(560_00)

        _, answer = terminal.offline_sale(BANK_A, 25_00)
        self.assertEqual(answer[39], "00")
        debits.append(25_00)

        silent, _ = terminal.sale(200_00, BANK_A, PINS[BANK_A])
        self.assertEqual(terminal.reverse(silent)[39], "00")

        batch = terminal.batch
        self.assertEqual(self.settle(debits, [], abroad, credits), ("1", "1"))
        _, answer = terminal.plain("0320", terminal.upload_fields("207", "0000"))
        self.assertEqual(answer[39], "00")
        terminal.batch = f"{int(batch) + 1:06d}"
        self.eventually(before[BANK_A] - 25_00, lambda: terminal.balance(BANK_A, PINS[BANK_A]))
        self.eventually(before[BANK_B] - 560_00, lambda: terminal.balance(BANK_B, PINS[BANK_B]))

    def test_2_a_batch_that_forgot_a_sale_is_uploaded_and_closed(self):
        terminal = self.terminal
        sales = [self.sell(amount)[0] for amount in range(1_00, 12_00, 1_00)]
        kept = sales[:4] + sales[5:]
        station.Demo.left_out.append("5.00")
        self.assertEqual(self.settle([int(sale[4]) for sale in kept], []), ("2", "1"))
        for at in range(0, len(kept), 8):
            group = kept[at : at + 8]
            digits = f"{len(group):02d}" + "".join(
                "00" + sale[11] + sale[2].zfill(20) + sale[4] for sale in group
            )
            _, answer = terminal.plain("0320", terminal.upload_fields("201", digits))
            self.assertEqual(answer[39], "00")
        _, answer = terminal.plain("0320", terminal.upload_fields("202", f"{len(kept):04d}"))
        self.assertEqual(answer[39], "00")
        batch = terminal.batch
        terminal.sign_in()
        self.assertEqual(int(terminal.batch), int(batch) + 1, "the next batch follows")
        self.sell(1_00)
        self.assertEqual(self.settle([1_00], []), ("1", "1"))
        terminal.batch = f"{int(terminal.batch) + 1:06d}"

    def test_3_a_closed_batch_takes_nothing_more(self):
        terminal = self.terminal
        current, terminal.batch = terminal.batch, "000001"
        try:
            _, answer = terminal.sale(1_00, BANK_A, PINS[BANK_A])
            self.assertEqual(answer[39], "77")
            _, answer = terminal.plain("0500", terminal.settle_fields([99_00], []))
            self.assertEqual((answer[39], answer[48][30]), ("77", "3"), "other totals for a batch that is closed")
        finally:
            terminal.batch = current


if __name__ == "__main__":
    unittest.main()
