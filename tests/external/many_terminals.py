"""Five hundred terminals on one connection, two banks of another make behind: MACs and PIN blocks by psec."""

import unittest

import cnpos
import own_station

CARDS = [("6225000000000253", "3012", "123456"), ("4111111111111111", "3012", "1234"), ("5555555555554444", "3012", "4321")]


class ManyTerminals(unittest.TestCase):
    """One connection, told apart by TPDU source and DE 41."""

    @classmethod
    def setUpClass(cls):
        cls.station = own_station.OwnStation()
        cls.line = cnpos.Line(cls.station.address, timeout=60)

    @classmethod
    def tearDownClass(cls):
        cls.line.close()
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

        banks = (self.station.bank_a, self.station.bank_b)
        self.assertEqual([fault for bank in banks for fault in bank.faults], [])
        # PIN blocks came in as format 0 under 500 keys and left as format 3 and 0 under two.
        expected = sorted((CARDS[place % len(CARDS)][0], CARDS[place % len(CARDS)][2]) for place in range(500))
        self.assertEqual(sorted(pin for bank in banks for pin in bank.pins), expected)
        self.assertTrue(self.station.bank_a.pins and self.station.bank_b.pins)


if __name__ == "__main__":
    unittest.main()
