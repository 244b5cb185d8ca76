//! What is done to the pixels and the metadata of a picture. Only computes; knows no storage.
//!
//! Guarantees: nothing is allocated for a picture before its size is known and allowed; what comes
//! out decodes; a labelled picture carries the label in its metadata and, when that is switched on,
//! in its pixels.

mod decode;
mod encode;
mod label;
mod marks;
mod metadata;
mod thumbnail;

use crate::clients::object_storage::ObjectKind;

pub(super) use self::decode::Bounds;
pub use self::label::{LabelError, LabelSettings};
pub(super) use self::marks::Aigc;

/// A picture ready to be stored.
pub(super) struct Prepared {
    pub(super) picture: Vec<u8>,
    pub(super) kind: ObjectKind,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A picture and its thumbnail.
pub(super) struct WithThumbnail {
    pub(super) full: Prepared,
    pub(super) thumbnail: Prepared,
}

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Neither PNG nor JPEG nor WebP by its first bytes.
    #[error("the bytes are no PNG, JPEG or WebP")]
    Format,
    #[error("the picture has {width} × {height} pixels, which is more than allowed")]
    TooManyPixels { width: u32, height: u32 },
    /// It begins like a picture and cannot be decoded.
    #[error("the picture is damaged")]
    Damaged(#[source] image::ImageError),
    #[error("the picture cannot be encoded")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Checks a result of the image API, labels it and makes its thumbnail.
///
/// The visible label is drawn when the settings say so, which is the only reason to encode anew.
/// A label that is in the metadata already is kept, and no second one is written.
pub(super) fn prepare_result(
    bytes: Vec<u8>,
    mark: &Aigc,
    label: &LabelSettings,
    bounds: Bounds,
) -> Result<WithThumbnail, PictureError> {
    let mut decoded = decode::decode(&bytes, bounds)?;
    let theirs = metadata::find(&bytes, decoded.kind);
    let (unmarked, kind) = if label.visible {
        label::draw(&mut decoded.pixels, label);
        let encoded = encode::encode(&decoded)?;
        // Encoding starts from nothing: what the image API wrote is put back below.
        (encoded.bytes, encoded.kind)
    } else {
        (bytes, decoded.kind)
    };
    let is_kept = theirs.is_some() && !label.visible;
    let mark = theirs.unwrap_or_else(|| metadata::Found::Text(mark.json()));
    let picture = if is_kept { unmarked } else { metadata::write(&unmarked, kind, &mark)? };
    let (width, height) = decoded.pixels.size();
    let small = thumbnail::make(&decoded)?;
    let thumbnail = Prepared {
        picture: metadata::write(&small.bytes, small.kind, &mark)?,
        kind: small.kind,
        width: small.width,
        height: small.height,
    };
    Ok(WithThumbnail { full: Prepared { picture, kind, width, height }, thumbnail })
}

/// Checks an upload and makes it anew from its pixels, so that nothing else of it remains: no
/// place, no camera, no name, nothing hidden behind the picture.
pub(super) fn prepare_upload(bytes: &[u8], bounds: Bounds) -> Result<Prepared, PictureError> {
    let decoded = decode::decode(bytes, bounds)?;
    let encoded = encode::encode(&decoded)?;
    let (width, height) = decoded.pixels.size();
    Ok(Prepared { picture: encoded.bytes, kind: encoded.kind, width, height })
}

/// What the bytes are, by how they begin.
pub(super) fn sniff(bytes: &[u8]) -> Option<ObjectKind> {
    decode::sniff(bytes)
}

#[cfg(test)]
mod tests;
