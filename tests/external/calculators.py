"""tollgate crypto against foreign arithmetic: psec (CVV, PVV, IBM 3624, key blocks), pyemv (chip cryptograms), pydukpt.

Random inputs, by the seed that is printed; both sides make the values, and each opens what the other wrote.
"""

import json
import os
import random
import subprocess
import unittest
import warnings

import psec
import pydukpt
from psec import cvv, mac, pin, pinblock, tr31

import cipher

warnings.simplefilter("ignore")
from pyemv import cvn  # noqa: E402  the import itself warns of DES

RANDOM = random.Random(int(os.environ.get("TOLLGATE_SEED", "1")))
ROUNDS = max(10, int(os.environ.get("TOLLGATE_ROUNDS", "200")) // 10)


def drawn(length):
    return bytes(RANDOM.randrange(256) for _ in range(length))


def odd(length):
    """A key with odd parity: psec refuses none, but tickets look like this."""
    return psec.des.adjust_key_parity(drawn(length))


def digits(length):
    return "".join(RANDOM.choice("0123456789") for _ in range(length))


# Keys and cards that no list knows are test ones all the same.
OURS = ("--test-keys", "--unmask")


def tollgate(*arguments):
    """The outputs of one calculation."""
    command = [os.environ["TOLLGATE"], "crypto", *arguments, "--json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if run.returncode != 0:
        raise AssertionError(run.stderr or run.stdout)
    return json.loads(run.stdout)["outputs"]


def hexed(value):
    return value.hex().upper()


class Calculators(unittest.TestCase):
    def test_card_verification_values_agree(self):
        for _ in range(ROUNDS):
            key, pan, expiry, code = odd(16), digits(RANDOM.randrange(13, 20)), digits(4), digits(3)
            ours = tollgate("cvv", "--cvk", hexed(key), *OURS, "--pan", pan, "--expiry", expiry,
                            "--service-code", code)
            self.assertEqual(ours["cvv_of_this_service_code"], cvv.generate_cvv(key, pan, expiry, code))

    def test_pin_verification_values_agree(self):
        for _ in range(ROUNDS):
            key, pan, own, index = odd(16), digits(16), digits(RANDOM.randrange(4, 13)), RANDOM.choice("123456")
            ours = tollgate("pvv", "--pvk", hexed(key), *OURS, "--pan", pan, "--pin", own, "--index", index)
            self.assertEqual(ours["pvv"], pin.generate_visa_pvv(key, index, own[:4], pan))

    def test_pin_offsets_agree(self):
        for _ in range(ROUNDS):
            key, pan, own = odd(16), digits(16), digits(RANDOM.randrange(4, 13))
            start = RANDOM.randrange(0, 4)
            length = RANDOM.randrange(1, 16 - start + 1)
            pad = RANDOM.choice("0123456789ABCDEF")
            ours = tollgate("offset", "--pvk", hexed(key), *OURS, "--pan", pan, "--pin", own, "--start",
                            str(start), "--length", str(length), "--pad", pad)
            theirs = pin.generate_ibm3624_offset(key, "0123456789012345", own, pan, start, length, pad)
            self.assertEqual(ours["offset"], theirs)

    def test_pin_blocks_agree(self):
        for _ in range(ROUNDS):
            key, pan, own = odd(16), digits(16), digits(RANDOM.randrange(4, 13))
            ours = tollgate("pinblock", "--format", "0", "--pin", own, "--pan", pan, "--key", hexed(key), *OURS)
            clear = pinblock.encode_pinblock_iso_0(own, pan)
            self.assertEqual(ours["clear_block"], hexed(clear))
            self.assertEqual(ours["enciphered_block"], hexed(cipher.encipher(key, clear)))
            wide = pinblock.encipher_pinblock_iso_4(key, own, pan)
            opened = tollgate("pinblock", "--format", "4", "--block", hexed(wide), "--pan", pan, "--key", hexed(key),
                              *OURS)
            self.assertEqual(opened["pin"], own)

    def test_retail_macs_agree(self):
        for _ in range(ROUNDS):
            key, data, padding = odd(16), drawn(RANDOM.randrange(1, 100)), RANDOM.choice((1, 2, 3))
            name = {1: "zeros", 2: "bit", 3: "length"}[padding]
            ours = tollgate("mac", "--key", hexed(key), "--test-keys", "--algorithm", "x919", "--padding", name,
                            "--data", hexed(data))
            self.assertEqual(ours["mac"], hexed(mac.generate_retail_mac(key[:8], key[8:], data, padding)))

    def test_key_blocks_of_psec_are_opened(self):
        for number in range(ROUNDS):
            form = "ABCD"[number % 4]
            protection = drawn(32) if form == "D" else odd(RANDOM.choice((16, 24)))
            key = odd(RANDOM.choice((16, 24)))
            header = tr31.Header(form, "P0", "T", "E", "00", "E")
            if number % 3 == 0:
                header.blocks["KS"] = "00604B120F9292800000"
            if number % 5 == 0:
                header.blocks["TS"] = "2" * 300
            block = tr31.KeyBlock(protection, header).wrap(key)
            ours = tollgate("tr31", "read", block, "--kbpk", hexed(protection), "--test-keys")
            self.assertEqual((ours["version"], ours["key"]), (form, hexed(key)))

    def test_our_key_blocks_are_opened_by_psec(self):
        for _ in range(ROUNDS):
            protection, key = drawn(RANDOM.choice((16, 24, 32))), odd(RANDOM.choice((16, 24)))
            ours = tollgate("tr31", "write", "--kbpk", hexed(protection), "--key", hexed(key), "--test-keys",
                            "--attributes", "P0TBS")
            header, opened = tr31.unwrap(protection, ours["key_block"])
            self.assertEqual(opened, key)
            found = (header.version_id, header.key_usage, header.algorithm, header.mode_of_use, header.exportability)
            self.assertEqual(found, ("D", "P0", "T", "B", "S"))

    def test_dukpt_keys_agree(self):
        for _ in range(ROUNDS):
            base, device = odd(16), drawn(7)
            bits = RANDOM.sample(range(20), RANDOM.randrange(1, 11))
            counter = sum(1 << bit for bit in bits)
            ksn = device + ((RANDOM.randrange(8) << 21) | counter).to_bytes(3, "big")
            initial = pydukpt.derive_ipek(base, ksn)
            key = pydukpt.derive_key(initial, ksn)
            ours = tollgate("dukpt", "--bdk", hexed(base), "--test-keys", "--ksn", hexed(ksn))
            theirs = {
                "initial_key": initial, "transaction_key": key, "pin_key": pydukpt.pin_key(key),
                "mac_key_request": pydukpt.mac_request_key(key), "mac_key_response": pydukpt.mac_response_key(key),
                "data_key_request": pydukpt.data_request_key(key),
                "data_key_response": pydukpt.data_response_key(key),
            }
            self.assertEqual({name: ours[name] for name in theirs}, {name: hexed(key) for name, key in theirs.items()})
            self.assertEqual(ours["counter"], counter)

    def test_chip_cryptograms_and_their_answers_agree(self):
        names = ("9f02", "9f03", "9f1a", "95", "5f2a", "9a", "9c", "9f37", "82", "9f36")
        sizes = (6, 6, 2, 5, 2, 3, 1, 4, 2, 2)
        versions = (("visa10", cvn.VisaCVN10), ("visa18", cvn.VisaCVN18), ("visa22", cvn.VisaCVN22),
                    ("mc16", cvn.MasterCardCVN16), ("mc17", cvn.MasterCardCVN17), ("mc20", cvn.MasterCardCVN20),
                    ("mc21", cvn.MasterCardCVN21))
        for number in range(ROUNDS):
            name, version = versions[number % len(versions)]
            key, pan, sequence = odd(16), digits(RANDOM.randrange(14, 20)), f"{RANDOM.randrange(100):02d}"
            tags = {f"tag_{tag}": drawn(size) for tag, size in zip(names, sizes)}
            tail = {"visa18": ("tag_9f10",), "visa22": ("tag_9f10",), "mc17": ("cvr", "counters"),
                    "mc21": ("cvr", "counters")}.get(name, ("cvr",))
            tail = {part: drawn(8 if part == "counters" else 7) for part in tail}
            theirs = version(key, key, key, pan, sequence)
            arqc = theirs.generate_ac(**tags, **tail)
            chip = ("--cvn", name, "--imk", hexed(key), "--test-keys", "--pan", pan, "--sequence", str(int(sequence)),
                    "--atc", hexed(tags["tag_9f36"]))
            data = b"".join([*tags.values(), *tail.values()])
            ours = tollgate("arqc", *chip, "--un", hexed(tags["tag_9f37"]), "--data", hexed(data))
            self.assertEqual(ours["arqc"], hexed(arqc), name)
            counter = () if name in ("visa10", "mc16", "mc17") else (tags["tag_9f36"],)
            if name in ("visa18", "visa22"):
                status, own = drawn(4), drawn(RANDOM.randrange(0, 9))
                answer = theirs.generate_arpc(arqc, *counter, status, own)
                ours = tollgate("arpc", *chip, "--arqc", hexed(arqc), "--csu", hexed(status), "--proprietary",
                                hexed(own))
            else:
                code = drawn(2)
                answer = theirs.generate_arpc(arqc, *counter, code)
                ours = tollgate("arpc", *chip, "--arqc", hexed(arqc), "--arc", hexed(code))
            self.assertEqual(ours["arpc"], hexed(answer), name)


if __name__ == "__main__":
    unittest.main()
