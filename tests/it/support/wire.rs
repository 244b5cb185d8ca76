//! Requests as bytes over a real socket.

use std::net::SocketAddr;

use poem::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::{Answer, PATIENCE};

/// A connection to a server, plain or over TLS.
pub(crate) struct Wire<T = TcpStream>(T);

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(
        address: SocketAddr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut wire = Self::connect(address).await;
        wire.send(request(method, path, headers, body).as_bytes()).await;
        wire.answer().await.unwrap_or_else(|| panic!("{method} {path} was not answered"))
    }

    /// The same for a server that may end at any moment; `None` when it did.
    pub(crate) async fn try_ask(address: SocketAddr, request: &str) -> Option<Answer> {
        let mut wire = Self(TcpStream::connect(address).await.ok()?);
        wire.0.write_all(request.as_bytes()).await.ok()?;
        wire.answer().await
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// Requests over `io`.
    pub(crate) fn over(io: T) -> Self {
        Self(io)
    }

    /// One request on this connection; `None` when it ended before the answer did.
    pub(crate) async fn exchange(&mut self, request: &str) -> Option<Answer> {
        self.0.write_all(request.as_bytes()).await.ok()?;
        self.answer().await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Reads one answer; `None` when the connection ends before it is whole.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let read = tokio::time::timeout(PATIENCE, self.read_answer()).await;
        read.expect("no answer and no end of the connection")
    }

    /// Waits until the server closes the connection; gives what it sent before.
    pub(crate) async fn until_closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        // A reset is an end too.
        let _ = read.expect("the server did not close the connection");
        rest
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let length = headers.get("content-length").expect("answers tell their length");
        let mut body = vec![0; length.to_str().unwrap().parse().unwrap()];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Answer { status, headers, body })
    }
}

/// A whole request with a body in JSON.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n" + body
}

/// An address of this machine at which nobody listens, as long as the socket is kept.
pub(crate) fn address_that_refuses() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let base = format!("http://{}", socket.local_addr().unwrap());
    (socket, base)
}
