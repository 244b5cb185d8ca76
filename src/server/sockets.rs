//! Where the listening sockets come from: our own, or those that systemd holds and hands over.
//!
//! A socket that systemd holds stays open while the program is exchanged: who connects meanwhile waits
//! in the kernel's queue for the next process and is not refused.

use std::io;
use std::net::SocketAddr;

use listenfd::ListenFd;
use tokio::net::TcpListener;

use super::bind;
use crate::config::Config;

/// What names the sockets that were handed over (`FileDescriptorName=`).
const NAMES: &str = "LISTEN_FDNAMES";

/// The sockets of the server.
pub struct Sockets {
    /// For clients: TLS where it is on.
    pub main: TcpListener,
    /// The small plain one beside TLS.
    pub plain: Option<TcpListener>,
    /// Whether they outlive this process.
    pub are_inherited: bool,
}

/// Sockets that were handed over, not yet in the runtime. Must be taken before other threads exist:
/// what names them is removed from the environment.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(String, std::net::TcpListener)>);

impl Inherited {
    /// What the environment speaks of: nothing, when systemd did not start us for sockets.
    ///
    /// # Errors
    /// When one is no listening TCP socket.
    pub fn take() -> io::Result<Self> {
        let names = std::env::var(NAMES).unwrap_or_default();
        let mut names = names.split(':').map(str::to_owned);
        let mut handed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..handed.len() {
            let name = names.next().unwrap_or_default();
            let socket = handed.take_tcp_listener(index).map_err(|err| {
                io::Error::new(err.kind(), format!("socket {name:?} from systemd: {err}"))
            })?;
            sockets.extend(socket.map(|socket| (name, socket)));
        }
        Ok(Self(sockets))
    }

    /// The socket of this name.
    fn named(&mut self, wanted: &str) -> Option<std::net::TcpListener> {
        let at = self.0.iter().position(|(name, _)| name == wanted)?;
        Some(self.0.swap_remove(at).1)
    }
}

impl Sockets {
    /// Listens as `config` says, on inherited sockets where there are some: `https` is the main one when
    /// TLS is on and `http` the plain one; without TLS `http` is the main one. One alone may have any
    /// name. Needs a runtime.
    ///
    /// # Errors
    /// When an address is in use or not ours, or a socket was handed over that nobody wants.
    pub fn open(mut inherited: Inherited, config: &Config) -> io::Result<Self> {
        if inherited.0.is_empty() {
            let main = bind_or_say(config.listen())?;
            let plain = super::bind_plain(config)?;
            return Ok(Self { main, plain, are_inherited: false });
        }
        let (main, plain) = match config.is_tls_on() {
            true => (inherited.named("https"), inherited.named("http")),
            false => (inherited.named("http"), None),
        };
        let alone = (inherited.0.len() == 1 && main.is_none()).then(|| inherited.0.pop()).flatten();
        let main = main.or(alone.map(|(_, socket)| socket));
        if let Some((name, _)) = inherited.0.first() {
            let wanted = if config.is_tls_on() { "https and http" } else { "http (TLS is off)" };
            return Err(io::Error::other(format!(
                "systemd hands over a socket named {name:?}, and FileDescriptorName= should be \
                 {wanted}"
            )));
        }
        let main = match main {
            Some(socket) => adopt(socket)?,
            None => bind_or_say(config.listen())?,
        };
        let plain = match plain {
            Some(socket) => Some(adopt(socket)?),
            None => super::bind_plain(config)?,
        };
        Ok(Self { main, plain, are_inherited: true })
    }
}

fn adopt(socket: std::net::TcpListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// Listens on `wanted`; an error names it, and what helps where that is known.
pub(super) fn bind_or_say(wanted: SocketAddr) -> io::Result<TcpListener> {
    bind(wanted).map_err(|err| {
        let hint = match err.kind() {
            io::ErrorKind::PermissionDenied if wanted.port() < 1024 => {
                "; ports below 1024 need AmbientCapabilities=CAP_NET_BIND_SERVICE or a socket unit"
            }
            _ => "",
        };
        io::Error::new(err.kind(), format!("{wanted} cannot be listened on: {err}{hint}"))
    })
}
