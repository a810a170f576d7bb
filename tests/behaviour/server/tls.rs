//! Doors that speak TLS.

use super::{Client, PATIENCE, Props, Stage, request};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConnection, StreamOwned};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tollgate::server::config::Ceilings;
use tollgate::server::config::ClientCertificates;
use tollgate::server::tls;
use tollgate::server::tls::Identity;
use tollgate::sim::certificates;

/// A throwaway authority with a server and a client.
struct Papers(tempfile::TempDir);

impl Papers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates::write(folder.path()).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    fn stage(&self, clients: ClientCertificates) -> Stage {
        let (certificates, key) = (self.file("server.pem"), self.file("server.key"));
        let identity = Identity { certificates: &certificates, key: &key };
        let config = tls::server(identity, clients, &self.file("ca.pem")).unwrap();
        let ceilings = Ceilings { handshake: Duration::from_millis(300), handshakes: 2, ..Ceilings::default() };
        Stage::with(Props { tls: Some(config), ceilings, ..Props::default() })
    }

    /// A client with or without its certificate, before its first byte.
    fn client(&self, stage: &Stage, with_certificate: bool) -> StreamOwned<ClientConnection, TcpStream> {
        let (certificates, key) = (self.file("client.pem"), self.file("client.key"));
        let identity = with_certificate.then_some(Identity { certificates: &certificates, key: &key });
        let config = tls::client(&self.file("ca.pem"), identity).unwrap();
        let stream = Client::of(TcpStream::connect(stage.address()).unwrap()).stream;
        let connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
        StreamOwned::new(connection, stream)
    }
}

/// Sends one request and reads the answer's STAN, byte 18 on: after length, TPDU, header, MTI, bitmap.
fn exchange(stream: &mut StreamOwned<ClientConnection, TcpStream>, stan: u32) -> std::io::Result<u8> {
    stream.write_all(&request(1, "10000001", stan))?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut unit = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut unit)?;
    Ok(unit[5 + 6 + 2 + 8 + 2])
}

#[test]
fn a_client_with_a_certificate_is_served_and_known_by_it() {
    let papers = Papers::new();
    let stage = papers.stage(ClientCertificates::Required);
    let mut client = papers.client(&stage, true);
    assert_eq!([exchange(&mut client, 1).unwrap(), exchange(&mut client, 2).unwrap()], [1, 2]);
    let (_, peer) = stage.began.recv_timeout(PATIENCE).unwrap();
    let leaf = CertificateDer::from_pem_slice(&papers.file("client.pem")).unwrap();
    assert_eq!(peer.certificate, Some(Sha256::digest(leaf).into()));
}

#[test]
fn without_a_certificate_there_is_no_session_where_one_is_required() {
    let papers = Papers::new();
    let stage = papers.stage(ClientCertificates::Required);
    let mut client = papers.client(&stage, false);
    assert!(exchange(&mut client, 1).is_err());
    let reason = stage.reason(client.sock.local_addr().unwrap());
    assert!(reason.starts_with("TLS handshake: ") && reason.contains("certificate"), "{reason}");
    assert!(stage.began.try_recv().is_err(), "nothing was served");
}

#[test]
fn without_a_certificate_there_is_a_session_where_it_is_optional() {
    let papers = Papers::new();
    for clients in [ClientCertificates::Optional, ClientCertificates::None] {
        let stage = papers.stage(clients);
        assert_eq!(exchange(&mut papers.client(&stage, false), 1).unwrap(), 1);
        assert_eq!(stage.began.recv_timeout(PATIENCE).unwrap().1.certificate, None);
    }
}

#[test]
fn a_certificate_of_a_stranger_is_refused_even_where_it_is_optional() {
    let (papers, strangers) = (Papers::new(), Papers::new());
    let stage = papers.stage(ClientCertificates::Optional);
    std::fs::copy(papers.0.path().join("ca.pem"), strangers.0.path().join("ca.pem")).unwrap();
    let mut client = strangers.client(&stage, true);
    assert!(exchange(&mut client, 1).is_err());
    assert!(stage.reason(client.sock.local_addr().unwrap()).starts_with("TLS handshake: "));
}

#[test]
fn plain_bytes_on_a_tls_door_are_refused_with_one_line() {
    let papers = Papers::new();
    let stage = papers.stage(ClientCertificates::Required);
    let mut client = stage.connect();
    client.send(&[request(1, "10000001", 1)]);
    let mut rest = Vec::new();
    // A TLS alert, or nothing; then the end.
    let _ = client.stream.read_to_end(&mut rest);
    assert!(stage.reason(client.address()).starts_with("TLS handshake: "));
    assert_eq!(exchange(&mut papers.client(&stage, true), 1).unwrap(), 1, "others are served");
}

#[test]
fn a_handshake_that_does_not_come_is_given_up_and_too_many_at_once_are_refused() {
    let papers = Papers::new();
    let stage = papers.stage(ClientCertificates::Required);
    let mut silent = [stage.connect(), stage.connect(), stage.connect()];
    for client in &mut silent {
        client.closed();
    }
    let reasons = silent.map(|client| stage.reason(client.address()));
    let slow = reasons.iter().filter(|reason| *reason == "TLS handshake: took too long").count();
    let full = reasons.iter().filter(|reason| *reason == "too many TLS handshakes").count();
    assert_eq!((slow, full), (2, 1), "{reasons:?}");
    assert_eq!(exchange(&mut papers.client(&stage, true), 1).unwrap(), 1, "others are served");
}

#[test]
fn bad_papers_are_named_before_a_door_opens() {
    let papers = Papers::new();
    let (certificates, key) = (papers.file("server.pem"), papers.file("server.key"));
    let fault = |certificates: &[u8], key: &[u8], authority: &[u8]| {
        let made = tls::server(Identity { certificates, key }, ClientCertificates::Required, authority);
        made.err().unwrap().to_string()
    };
    assert_eq!(fault(&certificates, &key, b""), "client_ca: no certificate in PEM form");
    assert_eq!(fault(b"", &key, &papers.file("ca.pem")), "certificate: no certificate in PEM form");
    assert_eq!(fault(&certificates, b"", &papers.file("ca.pem")), "no private key in PEM form");
    assert!(
        fault(&certificates, &papers.file("client.key"), &papers.file("ca.pem")).contains("keys may not be consistent")
    );
    let _: Arc<rustls::ServerConfig> =
        tls::server(Identity { certificates: &certificates, key: &key }, ClientCertificates::None, b"").unwrap();
}
