//! TLS: certificates and keys from PEM, clients with or without certificates.

use super::config::{ClientCertificates, DoorTls};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;

/// What is wrong with a certificate, a key, or how they go together. Names files, never shows contents.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// A file cannot be read.
    #[error("{file}: {error}")]
    File {
        /// Its path.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// No certificate in PEM form.
    #[error("{0}: no certificate in PEM form")]
    NoCertificate(&'static str),
    /// No private key in PEM form.
    #[error("no private key in PEM form")]
    NoKey,
    /// They do not go together, or are not accepted.
    #[error("{0}")]
    Refused(#[from] rustls::Error),
    /// The authorities cannot verify clients.
    #[error("client certificates: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// A certificate chain and its private key, in PEM form.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The chain, leaf first.
    pub certificates: &'a [u8],
    /// Its key.
    pub key: &'a [u8],
}

/// The TLS of a door, from its files; paths are relative to `folder`.
///
/// # Errors
/// What is wrong with which file.
pub fn door(folder: &Path, tls: &DoorTls) -> Result<Arc<ServerConfig>, TlsFault> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|error| TlsFault::File { file: path.display().to_string(), error })
    };
    let (certificates, key) = (read(&tls.certificate)?, read(&tls.private_key)?);
    let authority = tls.client_ca.as_deref().map(read).transpose()?;
    let identity = Identity { certificates: &certificates, key: &key };
    server(identity, tls.client_certificates, authority.as_deref().unwrap_or_default())
}

/// The server side: TLS 1.2 and 1.3. `client_ca` (PEM) counts unless clients are not asked.
///
/// # Errors
/// What is wrong with the certificate, the key or the authority.
pub fn server(
    identity: Identity<'_>,
    clients: ClientCertificates,
    client_ca: &[u8],
) -> Result<Arc<ServerConfig>, TlsFault> {
    let verifier = match clients {
        ClientCertificates::None => WebPkiClientVerifier::no_client_auth(),
        ClientCertificates::Optional => verifier(client_ca, true)?,
        ClientCertificates::Required => verifier(client_ca, false)?,
    };
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let (chain, key) = identity.read("certificate")?;
    Ok(Arc::new(builder.with_client_cert_verifier(verifier).with_single_cert(chain, key)?))
}

/// The client side: trusts `authority` (PEM) alone, and shows `identity` if asked.
///
/// # Errors
/// What is wrong with the authority or the identity.
pub fn client(authority: &[u8], identity: Option<Identity<'_>>) -> Result<Arc<ClientConfig>, TlsFault> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots(authority, "authority")?);
    Ok(Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity.read("client certificate")?;
            builder.with_client_auth_cert(chain, key)?
        }
    }))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn verifier(authority: &[u8], optional: bool) -> Result<Arc<dyn ClientCertVerifier>, TlsFault> {
    let roots = Arc::new(roots(authority, "client_ca")?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    Ok(if optional { builder.allow_unauthenticated().build()? } else { builder.build()? })
}

fn roots(pem: &[u8], what: &'static str) -> Result<RootCertStore, TlsFault> {
    let mut store = RootCertStore::empty();
    for certificate in chain(pem, what)? {
        store.add(certificate)?;
    }
    Ok(store)
}

fn chain(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().unwrap_or_default();
    if chain.is_empty() { Err(TlsFault::NoCertificate(what)) } else { Ok(chain) }
}

impl Identity<'_> {
    fn read(self, what: &'static str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsFault> {
        Ok((chain(self.certificates, what)?, PrivateKeyDer::from_pem_slice(self.key).map_err(|_| TlsFault::NoKey)?))
    }
}
