//! The implicit label in the file: finding the image API's, writing ours.
//!
//! Where it stands: PNG in a `tEXt` chunk `AIGC`, as large providers write it; JPEG and WebP in XMP,
//! property `AIGC` of TC260's name space (TC260-PG-20258A). Readers get along with either in any
//! format, so what is found is kept in the form it has.

mod jpeg;
mod png;
mod webp;
mod xmp;

use super::PictureError;
use crate::clients::object_storage::ObjectKind;

/// Name of the field in every container.
const FIELD: &str = "AIGC";

/// A larger label of somebody else's is not carried over.
const MAX_BYTES: usize = 32 * 1024;

/// A label as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The JSON alone.
    Text(String),
    /// A whole XMP packet that holds it.
    Xmp(Vec<u8>),
}

/// The label that `bytes` carry already.
pub(super) fn find(bytes: &[u8], kind: ObjectKind) -> Option<Found> {
    let found = match kind {
        ObjectKind::Png => png::find(bytes),
        ObjectKind::Jpeg => jpeg::find_xmp(bytes).filter(|xmp| is_label(xmp)).map(Found::Xmp),
        ObjectKind::Webp => webp::find_xmp(bytes).filter(|xmp| is_label(xmp)).map(Found::Xmp),
    }?;
    let size = match &found {
        Found::Text(text) => text.len(),
        Found::Xmp(packet) => packet.len(),
    };
    (size <= MAX_BYTES).then_some(found)
}

/// `bytes` with the label in it. Other XMP that is there stays.
///
/// # Errors
/// When `bytes` are not of this kind, or too full.
pub(super) fn write(
    bytes: &[u8],
    kind: ObjectKind,
    label: &Found,
) -> Result<Vec<u8>, PictureError> {
    let written = match (kind, label) {
        (ObjectKind::Png, Found::Text(json)) => png::write_text(bytes, json),
        (ObjectKind::Png, Found::Xmp(packet)) => png::write_xmp(bytes, packet),
        (ObjectKind::Jpeg, label) => jpeg::write_xmp(bytes, &packet(label, jpeg::find_xmp(bytes))),
        (ObjectKind::Webp, label) => webp::write_xmp(bytes, &packet(label, webp::find_xmp(bytes))),
    };
    written.ok_or_else(|| PictureError::Encode("the label finds no place in the file".into()))
}

fn packet(label: &Found, there: Option<Vec<u8>>) -> Vec<u8> {
    match label {
        Found::Xmp(packet) => packet.clone(),
        Found::Text(json) => xmp::with_label(there.as_deref(), json),
    }
}

fn is_label(packet: &[u8]) -> bool {
    packet.windows(FIELD.len()).any(|part| part == FIELD.as_bytes())
}

#[cfg(test)]
mod tests;
