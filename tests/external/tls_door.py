"""The door `tls`: mutual TLS by Python's OpenSSL, with the throwaway authority that the demo wrote."""

import itertools
import socket
import ssl
import unittest

import cnpos
import station

TERMINAL, MERCHANT = "10000004", "898110054110004"
STANS = itertools.count(1)


class TlsDoor(unittest.TestCase):
    """`pos` inside TLS; without our client certificate there is no session."""

    def setUp(self):
        data = station.Demo.get().data
        self.files = {path.name: str(path) for path in data.rglob("*") if path.suffix in (".pem", ".key")}
        self.assertLessEqual({"ca.pem", "client.pem", "client.key"}, set(self.files), "files of the throwaway CA")

    def context(self, with_certificate=True):
        context = ssl.create_default_context(cafile=self.files["ca.pem"])
        if with_certificate:
            context.load_cert_chain(self.files["client.pem"], self.files["client.key"])
        return context

    def test_a_terminal_signs_in_and_buys_over_mutual_tls(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version.name):
                context = self.context()
                context.minimum_version = context.maximum_version = version
                line = cnpos.Line(station.TLS, context=context)
                self.addCleanup(line.close)
                terminal = cnpos.Terminal(line, TERMINAL, MERCHANT, cnpos.derived_key(TERMINAL))
                terminal.stans = STANS
                terminal.sign_in()
                _, answer = terminal.sale(31_00, ("4111111111111111", "3012"), "1234")
                self.assertEqual(answer[39], "00")

    def refused(self, use):
        """Passes if the switch ends the session: by an alert, a reset or an end of file."""
        try:
            use()
        except (ssl.SSLError, ConnectionError):
            return
        self.fail("the session was accepted")

    def test_without_a_client_certificate_there_is_no_session(self):
        def use():
            line = cnpos.Line(station.TLS, context=self.context(with_certificate=False))
            self.addCleanup(line.close)
            cnpos.Terminal(line, TERMINAL, MERCHANT, cnpos.derived_key(TERMINAL)).sign_in()

        self.refused(use)

    def test_plain_bytes_on_the_tls_door_are_refused_and_disturb_nobody(self):
        def use():
            line = cnpos.Line(station.TLS)
            self.addCleanup(line.close)
            line.send(cnpos.encode("0820", {41: TERMINAL, 42: MERCHANT, 60: "00000000301"}))
            # A TLS alert is no frame of ours either; what counts is that the line is closed.
            while line.socket.recv(4096):
                pass
            raise ConnectionError

        self.refused(use)
        self.test_a_terminal_signs_in_and_buys_over_mutual_tls()

    def test_the_servers_certificate_is_for_localhost(self):
        with socket.create_connection(station.TLS, 10) as plain:
            with self.context().wrap_socket(plain, server_hostname="localhost") as secured:
                self.assertTrue(secured.getpeercert())


if __name__ == "__main__":
    unittest.main()
