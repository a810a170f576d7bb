//! A throwaway certificate authority for loopback: made at every start of the demo, trusted by nobody
//! else.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use std::io;
use std::path::Path;

/// The files written, all PEM, all into one folder: the authority, the server's pair, a client's pair.
pub const FILES: [&str; 5] = ["ca.pem", "server.pem", "server.key", "client.pem", "client.key"];

/// Makes an authority, a certificate for `localhost` and 127.0.0.1, and one for a client, and writes
/// them into `folder`. Private keys are readable by their owner only.
///
/// # Errors
/// If a certificate cannot be made or a file cannot be written.
pub fn write(folder: &Path) -> io::Result<()> {
    let pems = make().map_err(io::Error::other)?;
    for (name, pem) in FILES.iter().zip(&pems) {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, if name.ends_with(".key") { 0o600 } else { 0o644 });
        io::Write::write_all(&mut options.open(folder.join(name))?, pem.as_bytes())?;
    }
    Ok(())
}

fn make() -> Result<[String; 5], rcgen::Error> {
    let mut authority = named("Tollgate demo throwaway CA", &[])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let pair = |name: &str, hosts: &[&str], purpose: ExtendedKeyUsagePurpose| {
        let mut params = named(name, hosts)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        Ok::<_, rcgen::Error>((certificate.pem(), key.serialize_pem()))
    };
    let server = pair("Tollgate demo", &["localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth)?;
    let client = pair("Tollgate demo terminal", &["terminal.invalid"], ExtendedKeyUsagePurpose::ClientAuth)?;
    Ok([authority.pem(), server.0, server.1, client.0, client.1])
}

fn named(name: &str, hosts: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
