//! Certificates that end: said in time, while there are days left to renew them.

use super::clock::SystemClock;
use crate::model::Clock;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::PathBuf;
use std::time::Duration;
use x509_parser::parse_x509_certificate;

/// From so many days before its end on, a certificate is spoken of.
pub const DAYS_AHEAD: i64 = 30;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(12 * 3_600);

/// One certificate that ends soon, or has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ending {
    /// Its file.
    pub file: String,
    /// Whole days it has left; negative once it is over.
    pub days: i64,
}

/// The certificates of a PEM file that end within [`DAYS_AHEAD`] days after `now` (seconds since 1970). What
/// cannot be read as a certificate is the TLS door's to refuse.
#[must_use]
pub fn endings(file: &str, pem: &[u8], now: i64) -> Vec<Ending> {
    let certificates = CertificateDer::pem_slice_iter(pem).flatten();
    let ends = certificates.filter_map(|der| {
        let (_, certificate) = parse_x509_certificate(&der).ok()?;
        Some(certificate.validity().not_after.timestamp())
    });
    let days = ends.map(|end| (end - now).div_euclid(86_400));
    days.filter(|days| *days < DAYS_AHEAD).map(|days| Ending { file: file.to_owned(), days }).collect()
}

/// Looks at certificate files now and twice a day.
pub async fn watch(files: Vec<PathBuf>) {
    loop {
        say(&files, SystemClock::start().wall().0 / 1_000_000);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks at certificate files and says in the log which end.
fn say(files: &[PathBuf], now: i64) {
    for file in files {
        // A file that went away is said when the door needs it.
        let Ok(pem) = std::fs::read(file) else { continue };
        for Ending { file, days } in endings(&file.display().to_string(), &pem, now) {
            if days < 0 {
                tracing::error!(event = "certificate-expired", file, days, "a certificate has ended: peers refuse it");
            } else {
                tracing::warn!(event = "certificate-ends", file, days, "a certificate ends soon: renew it and restart");
            }
        }
    }
}
