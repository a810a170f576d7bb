"""An issuer's host of another make: pyiso8583 for the messages, psec for the PIN blocks, CMAC and X9.19 for the MACs.

Approves everything it can verify, unless it is told to be silent, and remembers what it saw.
"""

import socket
import threading
import traceback
from dataclasses import dataclass, field

import iso8583
from psec import pinblock

import cipher
import elements

ECHOED = ("2", "3", "4", "7", "11", "12", "24", "32", "37", "41", "42", "49", "70")


@dataclass
class Bank:
    """How one bank speaks: dialect, MAC, PIN block format (0 or 3), keys."""

    dialect: str
    mac: object
    mac_key: bytes
    pin_format: int
    pin_key: bytes
    pins: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    seen: list = field(default_factory=list)
    # Amounts (DE 4) of which a request gets no answer, nor does the first reversal of one.
    silent: set = field(default_factory=set)

    def __post_init__(self):
        self.spec = elements.specification(self.dialect)
        self.binary = self.dialect.endswith("-binary")
        mac = {**self.spec["52"], "len_type": 0}
        self.spec["64"] = self.spec["128"] = mac

    def signed(self, document):
        """Encoded, with its MAC in DE 64."""
        wire, _ = iso8583.encode({**document, "64": "0" * 16}, self.spec)
        open_part = bytes(wire[: -8 if self.binary else -16])
        made = self.mac(self.mac_key, open_part)
        return open_part + (made if self.binary else made.hex().upper().encode())

    def verified(self, wire):
        """Decoded; a wrong MAC is a fault that the test sees."""
        document, _ = iso8583.decode(wire, self.spec)
        place = next((number for number in ("128", "64") if number in document), None)
        if place:
            open_part = wire[: -8 if self.binary else -16]
            if bytes.fromhex(document[place]) != self.mac(self.mac_key, open_part):
                self.faults.append(f"MAC of {document['t']}")
        elif document["t"][1] != "8":
            self.faults.append(f"{document['t']} without a MAC")
        return document

    def note_pin(self, document):
        if "52" not in document:
            return
        block = cipher.decipher(self.pin_key, bytes.fromhex(document["52"]))
        read = {0: pinblock.decode_pinblock_iso_0, 3: pinblock.decode_pinblock_iso_3}[self.pin_format]
        self.pins.append((document["2"], read(block, document["2"])))

    def answer(self, wire):
        document = self.verified(wire)
        mti = document["t"]
        self.note_pin(document)
        self.seen.append(document)
        if document.get("4") in self.silent and (mti[1] != "4" or mti[3] in "02"):
            return None
        # The answer: one class up, the repeat bit of the last digit cleared.
        reply = {"t": mti[:2] + str(int(mti[2]) + 1) + str(int(mti[3]) // 2 * 2)}
        reply |= {number: document[number] for number in ECHOED if number in document}
        if mti[0] == "0":
            reply["39"] = "00"
        else:
            reply["39"] = {"4": "400", "8": "800"}.get(mti[1], "000")
        if mti[1] in "12":
            reply["38"] = "FOREIG"
        if mti[1] != "8":
            return self.signed(reply)
        return bytes(iso8583.encode(reply, self.spec)[0])


class Host:
    """A bank that listens on a free port of loopback, 2-byte lengths, any number of connections."""

    def __init__(self, bank):
        self.bank = bank
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line):
        held = b""
        while data := line.recv(65536):
            held += data
            while len(held) >= 2 and len(held) >= 2 + (size := int.from_bytes(held[:2], "big")):
                wire, held = held[2 : 2 + size], held[2 + size :]
                if not wire:
                    continue
                try:
                    answer = self.bank.answer(wire)
                except Exception:  # whatever it is, the test must hear of it
                    self.bank.faults.append(traceback.format_exc())
                    continue
                if answer is None:
                    continue
                line.sendall(len(answer).to_bytes(2, "big") + answer)
