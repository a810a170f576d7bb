//! The listener of metrics: HTTP/1.1, one question a connection, a bound on everything.

use super::Sources;
use super::figures;
use super::health::Readiness;
use crate::ops::alarms::AlarmThread;
use crate::server::config::Metrics;
use crate::server::run::Running;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Connections at once; a further one is closed unheard.
const CONNECTIONS: usize = 16;
/// Bytes of a request's head.
const HEAD: usize = 8 * 1024;
/// Headers of a request.
const HEADERS: usize = 32;
/// How long a request's head may take to come.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection may last, the answer's way out included.
const WITHIN: Duration = Duration::from_secs(10);
/// After a connection could not be taken.
const AGAIN: Duration = Duration::from_millis(100);

/// Where the figures of a station are to be had, opened before it starts: a port in use is told early.
pub struct MetricsPlan {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

impl MetricsPlan {
    /// Opens the port; nothing if none is configured.
    ///
    /// # Errors
    /// It is in use, or not to be had.
    pub fn open(metrics: &Metrics) -> io::Result<Option<Self>> {
        let Some(listen) = metrics.listen else { return Ok(None) };
        let named = |error: io::Error| io::Error::new(error.kind(), format!("metrics at {listen}: {error}"));
        let socket = std::net::TcpListener::bind(listen).map_err(named)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Some(Self { socket, address }))
    }
}

/// Answers for a running station until it has ended or this is dropped.
pub struct MetricsThread {
    address: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl MetricsThread {
    /// Begins to answer.
    ///
    /// # Errors
    /// No thread.
    pub fn start(plan: MetricsPlan, running: &Running, alarms: Option<&AlarmThread>) -> io::Result<Self> {
        let MetricsPlan { socket, address } = plan;
        let sources = Arc::new(Sources { gauges: running.gauges(), alarms: alarms.map(AlarmThread::counts) });
        let stop = running.ending().child_token();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let stopped = stop.clone();
        let body = async move {
            match TcpListener::from_std(socket) {
                Ok(listener) => tokio::select! {
                    () = stopped.cancelled() => {}
                    () = serve(listener, &sources) => {}
                },
                Err(error) => tracing::error!(event = "metrics", %error, "cannot listen"),
            }
        };
        let thread = std::thread::Builder::new().name("metrics".to_owned()).spawn(move || runtime.block_on(body))?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsThread {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            // Figures are no reason to end a station.
            tracing::error!(event = "metrics", "the thread that answers for figures has ended");
        }
    }
}

async fn serve(listener: TcpListener, sources: &Arc<Sources>) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(AGAIN).await;
            continue;
        };
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else { continue };
        let sources = Arc::clone(sources);
        tokio::spawn(async move {
            // Late, or no HTTP: it was told so, or is gone.
            let _ = timeout(WITHIN, answer(stream, &sources)).await;
            drop(seat);
        });
    }
}

async fn answer(stream: TcpStream, sources: &Sources) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let said = say(request.method(), request.uri().path(), sources);
        std::future::ready(Ok::<_, Infallible>(said))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD)
        .max_headers(HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

const TEXT: &str = "text/plain; charset=utf-8";

fn say(method: &Method, path: &str, sources: &Sources) -> Response<Full<Bytes>> {
    if !matches!(path, "/metrics" | "/livez" | "/readyz" | "/links") {
        return response(StatusCode::NOT_FOUND, TEXT, "there is /metrics, /livez, /readyz and /links\n");
    }
    if method != Method::GET {
        let mut response = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
        return response;
    }
    match path {
        "/metrics" => response(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", figures::page(sources)),
        "/readyz" => {
            let readiness = Readiness::look(sources);
            let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            response(status, TEXT, readiness.to_string())
        }
        "/links" => response(StatusCode::OK, "application/json", figures::links_json(sources).to_string()),
        _ => response(StatusCode::OK, TEXT, "alive\n"),
    }
}

fn response(status: StatusCode, form: &'static str, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
