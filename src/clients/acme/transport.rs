//! instant-acme's calls over our HTTP client: the same threads, time limits and TLS as every other
//! outside call.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Bytes};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient as AcmeHttp};
use parking_lot::Mutex;
use ureq::http::{Request, Response, StatusCode, header};

use crate::clients::http::{Answer, HttpClient};

/// Clones share what they remember.
#[derive(Clone)]
pub(super) struct Transport {
    http: HttpClient,
    /// How long the authority asked to be left alone when it last refused.
    retry_after: Arc<Mutex<Option<Duration>>>,
}

impl Transport {
    pub(super) fn new(http: &HttpClient) -> Self {
        Self { http: http.clone(), retry_after: Arc::default() }
    }

    /// How long the authority asked to be left alone when it last refused.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        *self.retry_after.lock()
    }
}

impl AcmeHttp for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let this = self.clone();
        Box::pin(async move {
            let request = with_bytes(request).await;
            let answer =
                this.http.call(request).await.map_err(|err| Error::Other(Box::new(err)))?;
            *this.retry_after.lock() = wait_asked_for(&answer);
            let mut response = Response::new(());
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            let (parts, ()) = response.into_parts();
            Ok(BytesResponse { parts, body: Box::new(Bytes::from(answer.body)) })
        })
    }
}

async fn with_bytes(request: Request<BodyWrapper<Bytes>>) -> Request<Vec<u8>> {
    let (parts, mut body) = request.into_parts();
    let mut bytes = Vec::new();
    // One frame, which is there already.
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
    {
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Request::from_parts(parts, bytes)
}

/// `Retry-After` of a refusal, in seconds as authorities write it.
fn wait_asked_for(answer: &Answer) -> Option<Duration> {
    let is_refusal =
        matches!(answer.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let seconds = answer.headers.get(header::RETRY_AFTER).filter(|_| is_refusal)?;
    Some(Duration::from_secs(seconds.to_str().ok()?.trim().parse().ok()?))
}
