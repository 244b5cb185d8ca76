//! Notifications: the first steps, in their order. Raw bytes, headers, time, key, signature; only
//! then the JSON, and its encryption.
//!
//! What comes out is from WeChat Pay. Whether it concerns us (merchant, app, order, amount) is for
//! whoever keeps the orders.

use serde::Deserialize;
use ureq::http::HeaderMap;

use super::error::{NotificationError, SignatureProblem};
use super::model::{Notification, Resource};
use super::sealed::Sealed;
use super::signature::Claim;
use super::transport::Transport;
use super::wire;

#[derive(Deserialize)]
struct Envelope {
    id: String,
    event_type: String,
    resource: WireResource,
}

#[derive(Deserialize)]
struct WireResource {
    original_type: String,
    #[serde(flatten)]
    sealed: Sealed,
}

pub(super) async fn open(
    transport: &Transport,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Notification, NotificationError> {
    let claim = Claim::read(headers, transport.clock.now())?;
    let key = transport.key(&claim.serial).await;
    let key = key.map_err(|err| NotificationError::KeysUnavailable(Box::new(err)))?;
    let key = key.ok_or(SignatureProblem::UnknownKey)?;
    claim.verify(&key, body)?;
    let Envelope { id, event_type, resource } = serde_json::from_slice(body)
        .map_err(|_| NotificationError::Garbled("it is no notification as documented"))?;
    let plaintext =
        transport.apiv3_key.open(&resource.sealed).map_err(NotificationError::Sealed)?;
    let resource = match resource.original_type.as_str() {
        "transaction" => wire::transaction(plaintext.as_bytes()).map(Resource::Transaction),
        "refund" => wire::refund_notice(plaintext.as_bytes()).map(Resource::Refund),
        _ => Ok(Resource::Other(resource.original_type)),
    }
    .map_err(NotificationError::Garbled)?;
    Ok(Notification { id, event_type, resource, plaintext })
}

#[cfg(test)]
mod tests;
