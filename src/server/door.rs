//! An open door: where the shell listens and how it speaks there.

use super::config::Network;
use crate::channel::Profile;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

/// A listener's conventions.
#[derive(Clone)]
pub struct Door {
    /// Its name in logs and reports.
    pub name: Box<str>,
    /// Where it listens; with port 0, what the machine gave it.
    pub listen: SocketAddr,
    /// What is spoken there.
    pub profile: Arc<Profile>,
    /// Who may connect; everybody if empty.
    pub allow: Vec<Network>,
    /// TLS, if the door has it.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Door {
    /// Whether somebody at `address` may come in.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|network| network.contains(address))
    }

    /// One listener for each of `workers`, all at the door's address; the kernel spreads connections.
    ///
    /// # Errors
    /// The address is not ours, or another process listens there: shared ports would hide that, so it is
    /// tried alone first.
    pub(super) fn open(&mut self, workers: usize) -> io::Result<Vec<TcpListener>> {
        self.listen = listener(self.listen, false)?.local_addr()?;
        (0..workers).map(|_| listener(self.listen, true)).collect()
    }
}

/// Connections that may wait for their worker.
const BACKLOG: i32 = 1024;

fn listener(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}
