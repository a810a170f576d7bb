//! The webhook: each change of the board as a POST of JSON, in order, again until it is taken.

use super::board::AlarmEvent;
use super::outgoing::Outgoing;
use super::outgoing::WAITING_MOST;
use crate::server::config::TokenPlace;
use crate::server::config::Webhook;
use crate::server::secret;
use crate::server::secret::SecretFault;
use crate::server::tls;
use crate::server::tls::TlsFault;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::StatusCode;
use hyper::Uri;
use hyper::client::conn::http1;
use hyper::header;
use hyper::header::HeaderValue;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::json;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

/// How long one attempt may take, from the connection to the answer's first line.
const DEADLINE: Duration = Duration::from_secs(5);
/// After the first attempt that failed; each further pause is twice as long.
const BACK_OFF: Duration = Duration::from_secs(1);
const BACK_OFF_MOST: Duration = Duration::from_secs(60);
/// While it goes on failing, every so many attempts say so.
const SAID_EVERY: u64 = 60;

/// Why a webhook cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HookFault {
    /// Its secret is not to be had.
    #[error("[alarms] webhook_token: {0}")]
    Token(#[from] SecretFault),
    /// Its secret cannot be written into a header.
    #[error("[alarms] webhook_token: has characters that a header cannot carry")]
    TokenForm,
    /// What it trusts cannot be read.
    #[error("[alarms] webhook_ca: {file}: {fault}")]
    Authority {
        /// The file.
        file: String,
        /// What the operating system said.
        fault: io::Error,
    },
    /// What it trusts is no certificate, or its name none that a certificate can have.
    #[error("[alarms] webhook_ca: {0}")]
    Tls(#[from] TlsFault),
    /// Its name is none that a certificate can have.
    #[error("[alarms] webhook: no certificate can have this name")]
    Name,
}

/// Why one attempt failed. Holds nothing that was sent.
#[derive(Debug, thiserror::Error)]
enum PostFault {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be written")]
    Form,
    #[error("answered {0}")]
    Refused(StatusCode),
    #[error("no answer within {} s", DEADLINE.as_secs())]
    Late,
}

/// Sends changes to a webhook.
pub(super) struct Post {
    address: Uri,
    token: Option<HeaderValue>,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The station's name and this run of it, as every message says.
    sender: (Box<str>, Box<str>),
    outgoing: Mutex<Outgoing>,
    some: Notify,
}

impl Post {
    /// Reads what the webhook needs. Paths are relative to `folder`.
    pub(super) fn new(webhook: &Webhook, folder: &Path, sender: (&str, &str)) -> Result<Self, HookFault> {
        let token = match &webhook.token {
            None => None,
            Some(TokenPlace::File(file)) => Some(secret::secret_file(&folder.join(file))?),
            Some(TokenPlace::Variable(name)) => Some(secret::secret_variable(name)?),
        };
        let token = token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", *token)).map_err(|_| HookFault::TokenForm)?;
            value.set_sensitive(true);
            Ok::<_, HookFault>(value)
        });
        let tls = webhook.authority.as_ref().map(|file| {
            let pem = std::fs::read(folder.join(file));
            let pem = pem.map_err(|fault| HookFault::Authority { file: file.clone(), fault })?;
            let name = ServerName::try_from(host(&webhook.address).to_owned()).map_err(|_| HookFault::Name)?;
            Ok::<_, HookFault>((tls::client(&pem, None)?, name))
        });
        Ok(Self {
            address: webhook.address.clone(),
            token: token.transpose()?,
            tls: tls.transpose()?,
            sender: (sender.0.into(), sender.1.into()),
            outgoing: Mutex::default(),
            some: Notify::new(),
        })
    }

    /// One more to send. Does not wait.
    pub(super) fn push(&self, event: AlarmEvent) {
        if self.outgoing.lock().push(event) {
            tracing::error!(
                event = "webhook",
                "more than {WAITING_MOST} changes of alarms wait: the oldest is dropped"
            );
        }
        self.some.notify_one();
    }

    /// Sends for as long as it is driven.
    pub(super) async fn serve(&self) {
        let (mut pause, mut failed) = (BACK_OFF, 0_u64);
        loop {
            let Some((sequence, body)) = self.next() else {
                self.some.notified().await;
                continue;
            };
            let sent = timeout(DEADLINE, self.deliver(body)).await.unwrap_or(Err(PostFault::Late));
            match sent {
                Ok(()) => {
                    if failed > 0 {
                        tracing::info!(event = "webhook", failed, "the webhook takes alarms again");
                    }
                    self.outgoing.lock().delivered(sequence);
                    (pause, failed) = (BACK_OFF, 0);
                }
                Err(fault) => {
                    if failed.is_multiple_of(SAID_EVERY) {
                        let waiting = self.outgoing.lock().len();
                        tracing::warn!(event = "webhook", fault = %fault, failed, waiting, "an alarm was not taken; again");
                    }
                    failed += 1;
                    sleep(pause).await;
                    pause = (pause * 2).min(BACK_OFF_MOST);
                }
            }
        }
    }

    fn next(&self) -> Option<(u64, Bytes)> {
        let outgoing = self.outgoing.lock();
        let (event, dropped) = outgoing.front()?;
        let AlarmEvent { sequence, change, alarm } = event;
        let (station, run) = &self.sender;
        let body = json!({
            "station": station, "run": run, "dropped": dropped,
            "sequence": sequence, "change": change, "alarm": alarm,
        });
        Some((*sequence, Bytes::from(body.to_string())))
    }

    async fn deliver(&self, body: Bytes) -> Result<(), PostFault> {
        let usual = if self.tls.is_some() { 443 } else { 80 };
        let port = self.address.port_u16().unwrap_or(usual);
        let tcp = TcpStream::connect((host(&self.address), port)).await?;
        let status = match &self.tls {
            None => self.exchange(tcp, body).await?,
            Some((config, name)) => {
                let tls = TlsConnector::from(Arc::clone(config)).connect(name.clone(), tcp).await?;
                self.exchange(tls, body).await?
            }
        };
        if status.is_success() { Ok(()) } else { Err(PostFault::Refused(status)) }
    }

    async fn exchange<S>(&self, stream: S, body: Bytes) -> Result<StatusCode, PostFault>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with this attempt: the answer's body is nobody's business.
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let path = self.address.path_and_query().map_or("/", |path| path.as_str());
        let authority = self.address.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::post(path)
            .header(header::HOST, authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Full::new(body)).map_err(|_| PostFault::Form)?;
        Ok(sender.send_request(request).await?.status())
    }
}

/// The host, an address of IPv6 without its brackets.
fn host(address: &Uri) -> &str {
    address.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}
