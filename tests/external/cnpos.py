"""A POS terminal's side of `cn-pos`, written from public descriptions of the wire: framing, BCD, keys, MAC.

Shares no code with the switch. The block cipher is psec's.
"""

import hashlib
import itertools
import socket

from psec import pinblock, tools

import cipher
import stripe

HEADER = bytes.fromhex("603100310730")
NII = bytes.fromhex("0003")
# DE: kind, digits of the length prefix (0: fixed), length. `r` is a fixed number filled up on the right.
ELEMENTS = {
    2: ("n", 2, 19), 3: ("n", 0, 6), 4: ("n", 0, 12), 11: ("n", 0, 6), 12: ("n", 0, 6), 13: ("n", 0, 4),
    14: ("n", 0, 4), 15: ("n", 0, 4), 22: ("r", 0, 3), 23: ("n", 0, 3), 25: ("n", 0, 2), 26: ("n", 0, 2),
    32: ("n", 2, 11), 35: ("z", 2, 37), 36: ("z", 3, 104), 37: ("t", 0, 12), 38: ("t", 0, 6), 39: ("t", 0, 2),
    41: ("t", 0, 8), 42: ("t", 0, 15), 44: ("t", 2, 25), 48: ("n", 3, 322), 49: ("t", 0, 3), 52: ("b", 0, 8),
    53: ("n", 0, 16), 54: ("t", 3, 40), 55: ("b", 3, 255), 58: ("t", 3, 100), 59: ("b", 3, 600),
    60: ("n", 3, 19), 61: ("n", 3, 29), 62: ("b", 3, 512), 63: ("t", 3, 163), 64: ("t", 0, 8),
}


def pack(digits, right):
    if len(digits) % 2:
        digits = digits + "0" if right else "0" + digits
    return bytes.fromhex(digits)


def encode(mti, fields):
    """MTI, bitmap and elements; DE 64 is a name for its place until it is known."""
    bitmap = 0
    body = b""
    for number in sorted(fields):
        bitmap |= 1 << (64 - number)
        kind, prefix, length = ELEMENTS[number]
        value = fields[number]
        if kind in ("n", "r", "z"):
            digits = value.replace("=", "D")
            if prefix:
                body += pack(f"{len(digits):0{2 * ((prefix + 1) // 2)}d}", False) + pack(digits, True)
            else:
                assert len(digits) == length, number
                body += pack(digits, kind == "r")
        else:
            data = bytes.fromhex(value) if kind == "b" else value.encode("gbk")
            if prefix:
                body += pack(f"{len(data):0{2 * ((prefix + 1) // 2)}d}", False)
            else:
                assert len(data) == length, number
            body += data
    return bytes.fromhex(mti) + bitmap.to_bytes(8, "big") + body


def decode(body):
    """Returns MTI and fields; refuses what is left over."""
    mti, bitmap, at = body[:2].hex(), int.from_bytes(body[2:10], "big"), 10
    fields = {}
    for number in range(2, 65):
        if not bitmap >> (64 - number) & 1:
            continue
        kind, prefix, length = ELEMENTS[number]
        if prefix:
            width = (prefix + 1) // 2
            length = int(body[at : at + width].hex())
            at += width
        packed = kind in ("n", "r", "z")
        size = (length + 1) // 2 if packed else length
        data = body[at : at + size]
        assert len(data) == size, f"DE {number} is cut off"
        at += size
        if packed:
            digits = data.hex().upper()
            left = not prefix and kind != "r"
            fields[number] = (digits[-length:] if left else digits[:length]).replace("D", "=")
        else:
            fields[number] = data.hex().upper() if kind == "b" else data.decode("gbk")
    assert at == len(body), f"{len(body) - at} bytes after the last element"
    return mti, fields


def fold_mac(key, data):
    """The MAC: blocks folded by exclusive or, its hexadecimal text enciphered half by half, 8 characters of the end."""
    folded = bytes(8)
    for at in range(0, len(data), 8):
        folded = tools.xor(folded, data[at : at + 8].ljust(8, b"\0"))
    text = folded.hex().upper().encode()
    first = cipher.encipher(key, text[:8])
    return cipher.encipher(key, tools.xor(first, text[8:])).hex().upper()[:8]


def derived_key(terminal):
    """The demo's terminal master keys, as its key list describes them."""
    return hashlib.sha256(f"tollgate demo TMK {terminal}".encode()).digest()[:16]


class Line:
    """One connection, which may carry many terminals. Answers are told apart by TPDU address and DE 11."""

    def __init__(self, address, timeout=20, context=None):
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.held = b""

    def close(self):
        self.socket.close()

    def send(self, body, source=b"\0\0"):
        frame = b"\x60" + NII + source + HEADER + body
        self.socket.sendall(len(frame).to_bytes(2, "big") + frame)

    def receive(self):
        """Returns the terminal's TPDU address and the message; fails on a TPDU or header that is not ours swapped."""
        while len(self.held) < 2 or len(self.held) < 2 + int.from_bytes(self.held[:2], "big"):
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed by the switch")
            self.held += data
        end = 2 + int.from_bytes(self.held[:2], "big")
        frame, self.held = self.held[2:end], self.held[end:]
        assert frame[:1] == b"\x60" and frame[3:5] == NII, f"TPDU {frame[:5].hex()}"
        # The host may set one digit of the header: what it asks of the terminal.
        header = frame[5:7] + bytes([frame[7] & 0xF0]) + frame[8:11]
        assert header == HEADER, f"header {frame[5:11].hex()}"
        return frame[1:3], frame[11:]


class Terminal:
    """One terminal: its numbers, its keys, its messages."""

    def __init__(self, line, terminal, merchant, master_key, source=b"\0\0"):
        self.line, self.terminal, self.merchant = line, terminal, merchant
        self.master_key, self.source = master_key, source
        self.batch, self.stans = "000000", itertools.count(1)
        self.pin_key = self.mac_key = None

    def next_stan(self):
        return f"{next(self.stans):06d}"

    def identity(self):
        return {41: self.terminal, 42: self.merchant}

    def exchange(self, body):
        self.line.send(body, self.source)
        source, answer = self.line.receive()
        assert source == self.source, f"an answer for {source.hex()}"
        return answer

    def sign_in_request(self, layout="003"):
        fields = {11: self.next_stan(), **self.identity(), 60: "00" + self.batch + layout, 63: "01 "}
        return encode("0800", fields)

    def sign_in(self, layout="003"):
        """Fetches working keys; every check value is recomputed. Returns the answer's fields."""
        return self.signed_in(self.exchange(self.sign_in_request(layout)), layout)

    def signed_in(self, answer, layout="003"):
        mti, fields = decode(answer)
        assert (mti, fields[39]) == ("0810", "00"), (mti, fields.get(39))
        self.batch = fields[60][2:8]
        block = bytes.fromhex(fields[62])
        width = 8 if layout == "001" else 16
        keys = []
        for at in range(0, len(block), width + 4):
            wrapped, check = block[at : at + width], block[at + width : at + width + 4]
            if len(keys) == 1 and width == 16 and wrapped[8:] == bytes(8):
                # A single-length MAC key in a double-length place: eight zero bytes follow its cipher.
                wrapped = wrapped[:8]
            key = cipher.decipher(self.master_key, wrapped)
            assert cipher.encipher(key, bytes(8))[:4] == check, f"check value of key {len(keys) + 1}"
            keys.append(key)
        assert len(keys) == (3 if layout == "004" else 2), f"{len(block)} bytes of keys"
        self.pin_key, self.mac_key, *_ = keys
        return fields

    def pin(self, pan, pin):
        return cipher.encipher(self.pin_key, pinblock.encode_pinblock_iso_0(pin, pan)).hex().upper()

    def signed(self, mti, fields):
        """The message with its MAC, which covers MTI, bitmap with bit 64, and all elements before it."""
        unsigned = encode(mti, fields | {64: "0" * 8})[:-8]
        return unsigned + fold_mac(self.mac_key, unsigned).encode()

    def verified(self, answer):
        """The fields of an answer whose MAC holds."""
        assert answer[-8:].decode() == fold_mac(self.mac_key, answer[:-8]), "the answer's MAC"
        return decode(answer)[1]

    def sale_fields(self, amount, card, pin=None, entry="02"):
        """A sale in minor units, swiped; `card` is number and expiry."""
        pan, expiry = card
        fields = {
            2: pan, 3: "000000", 4: f"{amount:012d}", 11: self.next_stan(), 14: expiry,
            22: entry + ("1" if pin else "2"), 25: "00", **self.identity(), 49: "156",
            60: "22" + self.batch + "000" + "50",
        }
        if entry == "02":
            fields[35] = stripe.track2(pan, expiry)
        if pin:
            fields |= {26: "12", 52: self.pin(pan, pin), 53: "2600000000000000"}
        return fields

    def sale(self, amount, card, pin=None):
        """Sends a sale; returns what was sent and the verified answer."""
        fields = self.sale_fields(amount, card, pin)
        return fields, self.verified(self.exchange(self.signed("0200", fields)))

    def follow_fields(self, card, amount, kind, **named):
        """A follow-up, its card typed in. `kind` is DE 3, DE 25 and 60.1; `named` are the elements that name it."""
        pan, expiry = card
        processing, condition, code = kind
        fields = {
            2: pan, 3: processing, 4: f"{amount:012d}", 11: self.next_stan(), 14: expiry, 22: "012",
            25: condition, **self.identity(), 49: "156", 60: code + self.batch + "000" + "50",
        }
        return fields | {int(number[2:]): value for number, value in named.items()}

    def ask(self, mti, fields):
        """Sends a financial request; returns the verified answer."""
        return self.verified(self.exchange(self.signed(mti, fields)))

    def void(self, sale, answer, card):
        """Cancels a sale of this batch, whole."""
        fields = self.follow_fields(
            card, int(sale[4]), ("200000", "00", "23"),
            de37=answer[37], de38=answer.get(38, "      "), de61=self.batch + sale[11],
        )
        return fields, self.ask("0200", fields)

    def refund(self, answer, card, amount):
        """Gives money of a sale back, named by its reference number and date."""
        fields = self.follow_fields(
            card, amount, ("200000", "00", "25"), de37=answer[37], de61="0" * 12 + answer[13], de63="CUP"
        )
        return fields, self.ask("0220", fields)

    def hold(self, amount, card, pin):
        """Holds money."""
        fields = self.sale_fields(amount, card, pin) | {3: "030000", 25: "06", 60: "10" + self.batch + "000" + "50"}
        return fields, self.ask("0100", fields)

    def complete(self, hold, answer, card, amount):
        """Takes what is held."""
        fields = self.follow_fields(
            card, amount, ("000000", "06", "20"),
            de38=answer[38], de61=self.batch + hold[11] + answer[13],
        )
        return fields, self.ask("0200", fields)

    def offline_sale(self, card, amount):
        """Tells of a sale that was made without the host."""
        fields = self.follow_fields(card, amount, ("000000", "00", "30"))
        return fields, self.ask("0220", fields)

    def settle_fields(self, debits, credits, foreign_debits=(), foreign_credits=()):
        """The totals of a batch: amounts and counts of what is owed to the merchant, and of what he owes."""

        def sums(*sides):
            return "".join(f"{sum(amounts):012d}{len(amounts):03d}" for amounts in sides) + "0"

        return {
            11: self.next_stan(), **self.identity(), 48: sums(debits, credits) + sums(foreign_debits, foreign_credits), 49: "156",
            60: "00" + self.batch + "201", 63: "01 ",
        }

    def upload_fields(self, code, digits):
        """A message of a batch upload."""
        return {11: self.next_stan(), **self.identity(), 48: digits, 60: "00" + self.batch + code}

    def plain(self, mti, fields):
        """Sends a message without a MAC; returns the answer's bytes and fields."""
        answer = self.exchange(encode(mti, fields))
        return answer, decode(answer)[1]

    def reverse(self, sale, reason="98"):
        """Sends the reversal of a sale as a terminal that got no answer would."""
        kept = (2, 3, 4, 11, 14, 22, 25, 41, 42, 49, 60)
        fields = {number: sale[number] for number in kept} | {39: reason}
        return self.verified(self.exchange(self.signed("0400", fields)))

    def balance(self, card, pin):
        """The available balance in minor units."""
        pan, expiry = card
        fields = {
            2: pan, 3: "310000", 11: self.next_stan(), 14: expiry, 22: "021", 25: "00", 26: "12",
            35: stripe.track2(pan, expiry), **self.identity(), 49: "156", 52: self.pin(pan, pin),
            53: "2600000000000000", 60: "01" + self.batch + "000" + "50",
        }
        answer = self.verified(self.exchange(self.signed("0200", fields)))
        assert answer[39] == "00", answer[39]
        for at in range(0, len(answer[54]), 20):
            amount = answer[54][at : at + 20]
            if amount[2:4] == "02":
                assert amount[4:7] == "156", "currency of the balance"
                return int(amount[8:]) * (1 if amount[7] == "C" else -1)
        raise AssertionError("DE 54 has no available balance")
