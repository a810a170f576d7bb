"""A station of our own: `tollgate serve` with 500 terminals in front and two foreign banks behind."""

import hashlib
import pathlib
import socket
import tempfile

import cipher
import foreign_issuer
import station

TERMINALS = [f"{20_000_001 + i}" for i in range(500)]
MERCHANT = "898110054119001"

STATION = """
[station]
name = "external"
test_keys = true
workers = 2
drain_s = 5
acquirer = "89811000"
currency = "156"
offset_minutes = 480

[[door]]
name = "pos"
listen = "127.0.0.1:{port}"
profile = "pos"

[files]
merchants = ["merchants.csv"]
terminals = ["terminals.csv"]
issuers = ["issuers.toml"]
bins = ["bins.csv"]
keys = ["keys.csv"]
"""


def key(name):
    return hashlib.sha256(f"external {name}".encode()).digest()[:16]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class OwnStation:
    """Started with its banks; `stop` ends all three."""

    def __init__(self):
        zpk_a, zpk_b = key("bank-a/zpk"), key("bank-b/zpk")
        zak_a, zak_b = key("bank-a/zak"), key("bank-b/zak")
        self.bank_a = foreign_issuer.Bank("iso87-binary", cipher.aes_cmac, zak_a, 3, zpk_a)
        self.bank_b = foreign_issuer.Bank("iso93-ascii", cipher.retail_mac, zak_b, 0, zpk_b)
        self.hosts = [foreign_issuer.Host(self.bank_a), foreign_issuer.Host(self.bank_b)]
        self.port = free_port()
        self.files = tempfile.TemporaryDirectory(prefix="tollgate-station-")
        self._write(pathlib.Path(self.files.name), zpk_a, zak_a, zpk_b, zak_b)
        config = str(pathlib.Path(self.files.name) / "station.toml")
        station.tollgate("serve", "-c", config, "--check")
        self.running = station.Running(["serve", "-c", config], [self.address])

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def _write(self, folder, zpk_a, zak_a, zpk_b, zak_b):
        issuers = "".join(
            f'[[issuer]]\nname = "{name}"\naddress = "127.0.0.1:{host.port}"\nprofile = "{name}"\ntimeout_ms = 5000\n'
            for name, host in zip(("bank-a", "bank-b"), self.hosts, strict=True)
        )
        keys = ["name,usage,algorithm,key"]
        for bank, zpk, zak, algorithm in (("bank-a", zpk_a, zak_a, "aes128"), ("bank-b", zpk_b, zak_b, "tdes2")):
            keys.append(f"{bank}/zpk,pin,tdes2,{zpk.hex().upper()}")
            keys.append(f"{bank}/zak,mac,{algorithm},{zak.hex().upper()}")
        keys += [f"terminal/{terminal}/tmk,kek,tdes2,{key(terminal).hex().upper()}" for terminal in TERMINALS]
        terminals = ["terminal,merchant", *(f"{terminal},{MERCHANT}" for terminal in TERMINALS)]
        for name, text in {
            "station.toml": STATION.format(port=self.port),
            "merchants.csv": f"merchant,name,name_en\n{MERCHANT},示范商店,External shop\n",
            "terminals.csv": "\n".join(terminals) + "\n",
            "issuers.toml": issuers,
            "bins.csv": "prefix,issuer,fallback\n62,bank-a,\n4,bank-b,\n5,bank-b,\n",
            "keys.csv": "\n".join(keys) + "\n",
        }.items():
            (folder / name).write_text(text, encoding="utf-8")

    def stop(self):
        """Returns the exit code and what it printed."""
        ended = self.running.stop()
        for host in self.hosts:
            host.close()
        self.files.cleanup()
        return ended
