"""Five hundred terminals on one connection, two banks of another make behind: MACs and PIN blocks by psec."""

import itertools
import time
import unittest

import cnpos
import own_station

CARDS = [("6225000000000253", "3012", "123456"), ("4111111111111111", "3012", "1234"), ("5555555555554444", "3012", "4321")]


class ManyTerminals(unittest.TestCase):
    """One connection, told apart by TPDU source and DE 41."""

    @classmethod
    def setUpClass(cls):
        cls.station = own_station.OwnStation()

    @classmethod
    def tearDownClass(cls):
        code, printed = cls.station.stop()
        assert code == 0, printed[-4000:]

    def terminals(self):
        for place, number in enumerate(own_station.TERMINALS):
            source = (place + 1).to_bytes(2, "big")
            key = own_station.key(number)
            yield cnpos.Terminal(self.line, number, own_station.MERCHANT, key, source)

    def all_at_once(self, terminals, body):
        """Sends one message of each, then reads as many answers; each goes back to its own terminal."""
        by_source = {terminal.source: terminal for terminal in terminals}
        for terminal in terminals:
            terminal.line.send(body(terminal), terminal.source)
        for _ in terminals:
            source, answer = self.line.receive()
            yield by_source.pop(source), answer
        self.assertEqual(by_source, {})

    def test_five_hundred_terminals_share_one_connection(self):
        self.line = cnpos.Line(self.station.address, timeout=60)
        self.addCleanup(self.line.close)
        banks = (self.station.bank_a, self.station.bank_b)
        for bank in banks:
            bank.pins.clear()
        terminals = list(self.terminals())
        self.assertEqual(len(terminals), 500)
        for terminal, answer in self.all_at_once(terminals, lambda terminal: terminal.sign_in_request()):
            self.assertEqual(terminal.signed_in(answer)[41], terminal.terminal)
        self.assertEqual(len({terminal.pin_key for terminal in terminals}), 500)

        sales = {}

        def sale(terminal):
            place = terminals.index(terminal)
            pan, expiry, pin = CARDS[place % len(CARDS)]
            fields = terminal.sale_fields(100_00 + place, (pan, expiry), pin)
            sales[terminal.terminal] = fields
            return terminal.signed("0200", fields)

        references = set()
        for terminal, answer in self.all_at_once(terminals, sale):
            fields, sent = terminal.verified(answer), sales[terminal.terminal]
            self.assertEqual(fields[39], "00")
            self.assertEqual([fields[n] for n in (4, 11, 41)], [sent[n] for n in (4, 11, 41)])
            references.add(fields[37])
        self.assertEqual(len(references), 500)

        self.assertEqual([fault for bank in banks for fault in bank.faults], [])
        # PIN blocks came in as format 0 under 500 keys and left as format 3 and 0 under two.
        expected = sorted((CARDS[place % len(CARDS)][0], CARDS[place % len(CARDS)][2]) for place in range(500))
        self.assertEqual(sorted(pin for bank in banks for pin in bank.pins), expected)
        self.assertTrue(self.station.bank_a.pins and self.station.bank_b.pins)

    def test_a_silent_bank_is_sent_a_reversal_that_names_the_original_until_it_answers(self):
        number = own_station.TERMINALS[0]
        key = own_station.key(number)
        line = cnpos.Line(self.station.address)
        self.addCleanup(line.close)
        terminal = cnpos.Terminal(line, number, own_station.MERCHANT, key)
        terminal.stans = itertools.count(1000)
        terminal.sign_in()
        for bank, (pan, expiry, pin), amount in (
            (self.station.bank_a, CARDS[0], 77_01),
            (self.station.bank_b, CARDS[1], 77_02),
        ):
            with self.subTest(dialect=bank.dialect):
                bank.silent.add(f"{amount:012d}")
                _, answer = terminal.sale(amount, (pan, expiry), pin)
                self.assertEqual(answer[39], "68")
                original, first, repeat = self.eventually_three(bank, f"{amount:012d}")
                for reversal in (first, repeat):
                    self.names(reversal, original)
                self.assertEqual(repeat["t"][:3], first["t"][:3])
                self.assertIn(repeat["t"][3], "13", "a repeat says so in its last digit")
                self.assertEqual(bank.faults, [])

    def eventually_three(self, bank, amount):
        """The original, its reversal and the repeat, once they came."""
        end = time.monotonic() + 60
        while len(found := [d for d in bank.seen if d.get("4") == amount]) < 3:
            self.assertLess(time.monotonic(), end, [document["t"] for document in found])
            time.sleep(0.1)
        return found[:3]

    def names(self, reversal, original):
        """The original data elements agree with the original as it was sent."""
        self.assertEqual(reversal["t"][1], "4")
        stan = original["11"]
        if "90" in reversal:
            self.assertEqual(reversal["90"][:20], original["t"] + stan + original["7"])
            self.assertEqual(reversal["90"][20:31], original["32"].rjust(11, "0"))
        else:
            self.assertEqual(reversal["56"][:22], original["t"] + stan + original["12"])
        for number in ("2", "3", "4", "37", "41", "42", "49"):
            self.assertEqual(reversal[number], original[number], f"DE {number}")


if __name__ == "__main__":
    unittest.main()
