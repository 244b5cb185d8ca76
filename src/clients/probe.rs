//! Looking at an address for doctor: whether it answers, what time it has there, and until when its
//! certificate holds.
//!
//! Guarantees: bounded in time and size; nothing is sent but a `GET` without secrets.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use ureq::http::{Request, StatusCode};
use x509_parser::parse_x509_certificate;

use super::http::{CallError, HttpClient, HttpSettings};
use super::onlooker;
use crate::base::time::UnixMillis;

/// Longest time for one look.
const TIMEOUT: Duration = Duration::from_secs(8);

const MAX_BYTES: u64 = 64 * 1024;

/// Looks at addresses.
pub struct Probe(HttpClient);

/// What was there.
#[derive(Debug)]
pub struct Seen {
    pub status: StatusCode,
    /// The time there, to the second.
    pub date: Option<UnixMillis>,
    pub body: Vec<u8>,
}

/// Why the certificate cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CertificateProblem {
    #[error("no connection in time")]
    Timeout,
    #[error("no connection")]
    Connect(#[from] io::Error),
    #[error("the name or the certificate cannot be read")]
    Unreadable,
}

impl Default for Probe {
    fn default() -> Self {
        Self(HttpClient::new(HttpSettings {
            name: "probe",
            timeout: TIMEOUT,
            concurrency: 8,
            queue: 32,
            max_answer_bytes: MAX_BYTES,
        }))
    }
}

impl Probe {
    /// Asks for `address`; a redirect is not followed.
    ///
    /// # Errors
    /// [`CallError`]; an answer of any status is no error.
    pub async fn get(&self, address: &str) -> Result<Seen, CallError> {
        let request = Request::get(address)
            .body(Vec::new())
            .map_err(|err| CallError::Connect(ureq::Error::Http(err)))?;
        let answer = self.0.call(request).await?;
        let date = answer.headers.get("date").and_then(|date| http_date(date.to_str().ok()?));
        Ok(Seen { status: answer.status, date, body: answer.body })
    }
}

fn http_date(text: &str) -> Option<UnixMillis> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(UnixMillis(time.timestamp().as_millisecond()))
}

/// Until when the certificate at `host:port` holds. Whether it is to be trusted is not asked: an https
/// call tells that.
///
/// # Errors
/// [`CertificateProblem`].
pub async fn certificate_end(host: &str, port: u16) -> Result<UnixMillis, CertificateProblem> {
    let looking = tokio::time::timeout(TIMEOUT, look(host, port));
    looking.await.map_err(|_| CertificateProblem::Timeout)?
}

async fn look(host: &str, port: u16) -> Result<UnixMillis, CertificateProblem> {
    let unreadable = CertificateProblem::Unreadable;
    let config = onlooker::config().map_err(|_| CertificateProblem::Unreadable)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| CertificateProblem::Unreadable)?;
    let socket = TcpStream::connect((host, port)).await?;
    let tls = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
    let (_, session) = tls.get_ref();
    let Some(first) = session.peer_certificates().and_then(<[_]>::first) else {
        return Err(unreadable);
    };
    let (_, certificate) = parse_x509_certificate(first).map_err(|_| unreadable)?;
    Ok(UnixMillis(certificate.validity().not_after.timestamp().saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    #[test]
    fn the_time_of_an_answer_is_read() {
        let time = http_date("Thu, 29 Jan 2026 12:00:00 GMT").unwrap();
        assert_eq!(time.rfc3339(), "2026-01-29T12:00:00.000Z");
        assert!(http_date("yesterday").is_none());
    }

    #[tokio::test]
    async fn the_end_of_a_certificate_is_read_also_when_nobody_trusts_it() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 5, 17);
        let certificate = params.self_signed(&key).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let _tls = TlsAcceptor::from(Arc::new(config)).accept(socket).await;
            std::future::pending::<()>().await;
        });
        let end = certificate_end("localhost", port).await.unwrap();
        assert!(end.rfc3339().starts_with("2031-05-17T00:00:00"), "{}", end.rfc3339());
    }
}
