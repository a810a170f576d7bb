"""A loopback capture, read back by tshark's own ISO 8583 dissector."""

import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

# What the dissector cannot see from the bytes; names and values as `tshark -G defaultprefs` prints them.
PREFERENCES = (
    "iso8583.len_endian:Big endian",
    "iso8583.charset:Digits represented as ASCII Characters",
    "iso8583.binencode:Bin data represented as Hex Ascii characters",
)


def available():
    """Whether tshark is there and may capture on loopback."""
    if not shutil.which("tshark"):
        return False
    listed = subprocess.run(["tshark", "-D"], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    return any(" lo" in line for line in listed.stdout.splitlines())


class Capture:
    """Everything on one TCP port of loopback between `with` and the last message that was waited for."""

    def __init__(self, port):
        self.port = port
        self.folder = tempfile.TemporaryDirectory(prefix="tollgate-capture-")
        self.file = pathlib.Path(self.folder.name) / "loopback.pcapng"

    def __enter__(self):
        command = ["tshark", "-q", "-i", "lo", "-f", f"tcp port {self.port}", "-w", str(self.file)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 30
        # The file gets its header once the interface is open.
        while not (self.file.exists() and self.file.stat().st_size):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("tshark does not capture")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def messages(self, count):
        """The first `count` messages as dissected, `{"mti": .., 2: ..}`; waits until tshark has that many."""
        end = time.monotonic() + 30
        while len(found := self._dissected()) < count:
            if time.monotonic() > end:
                raise AssertionError(f"tshark sees {len(found)} messages, not {count}")
            time.sleep(0.2)
        return found[:count]

    def _dissected(self):
        command = ["tshark", "-r", str(self.file), "-d", f"tcp.port=={self.port},iso8583", "-Y", "iso8583"]
        for preference in PREFERENCES:
            command += ["-o", preference]
        command += ["-T", "json", "-J", "iso8583"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        packets = json.loads(done.stdout or "[]")
        layers = [packet["_source"]["layers"]["iso8583"] for packet in packets]
        return [_fields(layer) for layer in layers]


def _fields(layer):
    fields = {"mti": layer["iso8583.mti"]}
    for name, value in layer.items():
        number = name.removeprefix("iso8583.bit")
        if number.isdigit() and number != "1":
            fields[int(number)] = value
    return fields
