//! Request bodies: bounded in size and time, and read before the handler runs.
//!
//! A body whose announced length is beyond the limit is refused before a byte of it is read. What
//! remains of a refused body is still taken in and thrown away for a while: closing the socket with
//! unread bytes makes the kernel reset the connection, and the client would never see the answer.

use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes};
use poem::http::header;
use poem::{Body, Request};

use crate::http::{ApiError, ErrorCode};

/// How much of a refused body is thrown away, and for how long, before the connection closes.
const DISCARD_BYTES: usize = 16 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Reads the body of `request` into memory and puts it back.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE` beyond `limit` bytes, `INVALID_REQUEST` when it ends early or takes longer
/// than `timeout`.
pub(super) async fn read(
    request: &mut Request,
    limit: usize,
    timeout: Duration,
) -> Result<(), ApiError> {
    let body = request.take_body();
    if body.is_empty() {
        return Ok(());
    }
    let mut body = BoxBody::from(body);
    if body.size_hint().lower() > limit as u64 {
        discard(request, body);
        return Err(too_large(limit));
    }
    let collected = tokio::time::timeout(timeout, Limited::new(&mut body, limit).collect()).await;
    match collected {
        Ok(Ok(whole)) => {
            request.set_body(whole.to_bytes());
            Ok(())
        }
        Ok(Err(err)) if err.is::<LengthLimitError>() => {
            discard(request, body);
            Err(too_large(limit))
        }
        Ok(Err(err)) => Err(ApiError::new(ErrorCode::InvalidRequest)
            .message("请求内容不完整", "The body is incomplete")
            .caused_by(err)),
        Err(_) => Err(ApiError::new(ErrorCode::InvalidRequest)
            .message("请求内容接收超时", "The body did not arrive in time")),
    }
}

/// Throws away the body of a request that is refused for another reason.
pub(super) fn refuse(request: &mut Request) {
    let body = request.take_body();
    if !body.is_empty() {
        discard(request, BoxBody::from(body));
    }
}

fn discard(request: &Request, mut body: BoxBody<Bytes, std::io::Error>) {
    // A client that asks first has sent nothing yet; reading would tell it to go on.
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    // Ends by itself: after the time, after the bytes, or with the connection.
    tokio::spawn(async move {
        let mut left = DISCARD_BYTES;
        let all = async {
            while let Some(Ok(frame)) = body.frame().await {
                let size = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(size) {
                    Some(rest) => left = rest,
                    None => break,
                }
            }
        };
        // Late or not, there is nobody to tell.
        let _ = tokio::time::timeout(DISCARD_TIME, all).await;
    });
}

fn too_large(limit: usize) -> ApiError {
    let kb = limit / 1024;
    ApiError::new(ErrorCode::PayloadTooLarge)
        .message(
            format!("请求内容过大，最多 {kb} KB"),
            format!("The request body is too large; at most {kb} KB"),
        )
        .detail("limitBytes", limit)
}

/// The length of `body` when it is known beforehand.
pub(super) fn exact_len(body: Body) -> (Body, Option<u64>) {
    let body = BoxBody::from(body);
    let len = body.size_hint().exact();
    (Body::from(body), len)
}
