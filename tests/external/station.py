"""The binary under test: one call of it, or a running demo that several tests share."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BINARY = os.environ.get("TOLLGATE", "target/release/tollgate")
# The demo's ports are facts, so only one demo runs at a time, whoever else is testing on this machine.
LOCK = pathlib.Path(tempfile.gettempdir()) / "tollgate-demo.lock"
POS = ("127.0.0.1", 8583)
HOST = ("127.0.0.1", 8584)
TLS = ("127.0.0.1", 8585)


def tollgate(*args, given="", exit_code=0):
    """Runs one command to its end and returns what it printed."""
    done = subprocess.run([BINARY, *args], input=given, capture_output=True, text=True, timeout=60)
    if done.returncode != exit_code:
        raise AssertionError(f"tollgate {' '.join(args)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_for(address, process, seconds=30):
    """Waits until something listens; fails at once if the process ends first."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(f"it ended with {process.returncode} before it listened on {address}")
        with contextlib.suppress(OSError), socket.create_connection(address, 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {address} after {seconds} s")


class Running:
    """A long-lived tollgate process with a data folder of its own, both gone afterwards."""

    def __init__(self, arguments, addresses):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-external-"))
        self.log = open(self.folder / "output.txt", "w+", encoding="utf-8")
        arguments = [argument.replace("{data}", str(self.folder / "data")) for argument in arguments]
        self.process = subprocess.Popen(
            [BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT
        )
        try:
            for address in addresses:
                wait_for(address, self.process)
        except AssertionError as fault:
            self.kill()
            raise AssertionError(f"{fault}\n{self.output()[-4000:]}") from None

    @property
    def data(self):
        return self.folder / "data"

    def output(self):
        self.log.flush()
        return (self.folder / "output.txt").read_text(encoding="utf-8", errors="replace")

    def stop(self):
        """Asks it to end as Ctrl-C does; returns its exit code and everything it printed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(90)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("it did not end within 90 s of SIGINT") from None
        printed = self.output()
        self.clear()
        return code, printed

    def kill(self):
        self.process.kill()
        self.process.wait()

    def clear(self):
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Demo:
    """The one demo that all tests of a run share, started by the first that needs it."""

    running = None
    lock = None
    # Amounts of sales that a test left out of a batch's upload: what the demo must find open at its end.
    left_out = []

    @classmethod
    def get(cls):
        if cls.running is None:
            cls.lock = open(LOCK, "w", encoding="utf-8")
            fcntl.flock(cls.lock, fcntl.LOCK_EX)
            arguments = ["demo", "--rate", "20/s", "--data", "{data}"]
            cls.running = Running(arguments, [POS, HOST, TLS, ("127.0.0.1", 9101), ("127.0.0.1", 9102)])
        return cls.running

    @classmethod
    def stop(cls):
        """Ends it; returns its exit code and what it printed, or None if it never ran."""
        if cls.running is None:
            return None
        running, cls.running = cls.running, None
        try:
            return running.stop()
        finally:
            cls.lock.close()
