//! One question by HTTP/1.1, bounded in time and length.

use crate::cli::{Exit, Failure};
use std::fmt;
use std::io;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long connecting, asking and each piece of the answer may take.
const WITHIN: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const LONGEST: u64 = 16 << 20;

/// Where a station tells its figures.
#[derive(Debug)]
pub(super) struct Place {
    authority: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl Place {
    /// From `http://HOST:PORT`, whatever path follows.
    pub(super) fn of(url: &str) -> Result<Self, Failure> {
        let refused = || Failure::new(Exit::Usage, format!("--url: {url:?} is not http://HOST:PORT"));
        let rest = url.strip_prefix("http://").unwrap_or(url);
        let authority = rest.split('/').next().unwrap_or_default();
        let port = authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let plain = authority.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@');
        match port {
            Some((host, _)) if !host.is_empty() && plain => Ok(Self { authority: authority.to_owned() }),
            _ => Err(refused()),
        }
    }

    /// The body of what is answered, if it is 200.
    pub(super) fn get(&self, path: &str) -> Result<String, Failure> {
        let answer = self.ask(path).map_err(|error| {
            let exit = match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Exit::Timeout,
                _ => Exit::NoConnection,
            };
            Failure::new(exit, format!("{self}: {error}"))
        })?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).unwrap_or("nothing");
        if status != "200" {
            return Err(Failure::new(Exit::No, format!("{self}{path} answers {}", status.escape_debug())));
        }
        Ok(body.to_owned())
    }

    fn ask(&self, path: &str) -> io::Result<String> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no such host");
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, WITHIN) {
                Ok(stream) => return self.talk(stream, path),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn talk(&self, mut stream: TcpStream, path: &str) -> io::Result<String> {
        stream.set_read_timeout(Some(WITHIN))?;
        stream.set_write_timeout(Some(WITHIN))?;
        // In one piece: who answers at the first of several would cut off the rest.
        let question = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.authority);
        stream.write_all(question.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_a_port() {
        for (url, place) in [("http://127.0.0.1:9464", "127.0.0.1:9464"), ("[::1]:1/metrics", "[::1]:1")] {
            assert_eq!(Place::of(url).unwrap().authority, place);
        }
        for url in ["", "http://", "http://host", "https://host:1", "http://a@b:1", "http://a b:1", "http://:1"] {
            assert_eq!(Place::of(url).err().map(|failure| failure.exit), Some(Exit::Usage), "{url}");
        }
    }
}
