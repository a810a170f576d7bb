"""pyiso8583 reads what we write, and we read what it writes."""

import json
import os
import random
import string
import unittest

import iso8583

import elements
import station

DIALECTS = ("iso87-ascii", "iso87-binary", "iso93-ascii", "iso93-binary")
SEED = int(os.environ.get("TOLLGATE_SEED", random.randrange(10**9)))
ROUNDS = int(os.environ.get("TOLLGATE_ROUNDS", "200"))
PRINTABLE = string.ascii_letters + string.digits + " .,:;-/+*()#@&%'\"<>?![]"
TAGS = ("9F26", "9F27", "9F10", "9F37", "9F36", "95", "9A", "9C", "9F02", "5F2A", "82", "9F1A", "DF31")


def characters(rng, alphabet, length):
    return "".join(rng.choice(alphabet) for _ in range(length))


def ber_tlv(rng, room):
    """Well-formed chip data of at most `room` bytes."""
    out = ""
    for tag in rng.sample(TAGS, rng.randint(1, 6)):
        length = rng.randint(1, 16)
        if (len(out) + len(tag)) // 2 + 1 + length <= room:
            out += f"{tag}{length:02X}{rng.randbytes(length).hex().upper()}"
    return out


def value(rng, element, ascii_hex):
    """A value the standard allows in this element, shortest and longest included."""
    length = element.maximum if element.fixed else rng.choice((1, element.maximum, rng.randint(1, element.maximum)))
    match element.kind:
        case "n":
            return characters(rng, string.digits, length)
        case "a":
            return characters(rng, string.ascii_letters, length)
        case "an":
            return characters(rng, string.ascii_letters + string.digits, length)
        case "ans":
            return characters(rng, PRINTABLE, length)
        case "b":
            return rng.randbytes(length).hex().upper()
        case "tlv":
            return ber_tlv(rng, element.maximum // 2 if ascii_hex else element.maximum)
        case "x":
            return rng.choice("CD") + characters(rng, string.digits, length)
        case "z":
            digits = characters(rng, string.digits, length)
            return digits if length < 20 else digits[:16] + "=" + digits[17:]
    raise ValueError(element.kind)


def message(rng, dialect, untried):
    """A message with up to a dozen elements that had no turn yet, and others by chance."""
    version = "0" if dialect.startswith("iso87") else "1"
    table = elements.table(dialect)
    some = rng.sample(sorted(table), rng.choice((1, 12, len(table) // 2)))
    several = set(some) | set(rng.sample(sorted(untried), min(12, len(untried))))
    ascii_hex = dialect.endswith("-ascii")
    fields = {number: value(rng, table[number], ascii_hex) for number in sorted(several)}
    return version + rng.choice(("100", "110", "200", "210", "400", "410", "420", "800", "810")), fields


def plain(field):
    """A field of our JSON without its parts."""
    return field["value"] if isinstance(field, dict) else field


class Codec(unittest.TestCase):
    """Random messages, the same ones for a seed, every element that both can express."""

    def ours(self, dialect, wire):
        text = station.tollgate("decode", "--dialect", dialect, "--json", "--unmask", given=wire.hex().upper())
        read = json.loads(text)
        return read["mti"], {int(number): plain(field) for number, field in read["fields"].items()}

    def theirs(self, dialect, wire):
        document, _ = iso8583.decode(wire, elements.specification(dialect))
        numbers = sorted(int(key) for key in document if key.isdigit() and key != "1")
        return document["t"], {
            number: elements.from_foreign(dialect, number, document[str(number)]) for number in numbers
        }

    def each(self, dialect, check):
        rng = random.Random(f"{SEED} {dialect}")
        untried = set(elements.table(dialect))
        for round_number in range(ROUNDS):
            mti, fields = message(rng, dialect, untried)
            untried -= set(fields)
            with self.subTest(seed=SEED, round=round_number, mti=mti):
                check(dialect, mti, fields)
        self.assertEqual(sorted(untried), [], "elements never tried")

    def we_read_theirs(self, dialect, mti, fields):
        document = {"t": mti} | {str(n): elements.to_foreign(dialect, n, v) for n, v in fields.items()}
        wire, _ = iso8583.encode(document, elements.specification(dialect))
        self.assertEqual(self.ours(dialect, bytes(wire)), (mti, fields))

    def they_read_ours(self, dialect, mti, fields):
        given = json.dumps({"mti": mti, "fields": {str(n): v for n, v in fields.items()}})
        wire = bytes.fromhex(station.tollgate("encode", "--dialect", dialect, given=given))
        self.assertEqual(self.theirs(dialect, wire), (mti, fields))


def _add(dialect):
    name = dialect.replace("-", "_")
    setattr(Codec, f"test_pyiso8583_reads_our_{name}", lambda self: self.each(dialect, self.they_read_ours))
    setattr(Codec, f"test_we_read_pyiso8583s_{name}", lambda self: self.each(dialect, self.we_read_theirs))


for _dialect in DIALECTS:
    _add(_dialect)
