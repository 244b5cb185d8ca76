//! From bytes to pixels, within bounds.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{
    DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
    RgbaImage,
};

use super::PictureError;
use crate::clients::object_storage::ObjectKind;

/// The longest side that all three formats can have (WebP's limit, 14 bits).
const MAX_SIDE: u32 = 16_383;

/// Colour profiles of cameras and screens are below 4 KB; print profiles are of no use here.
const MAX_ICC_BYTES: usize = 64 * 1024;

/// What the decoders may allocate for a pixel: 16 bits in four channels, and as much to work with.
const BYTES_PER_PIXEL: u64 = 16;

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Bounds {
    pub(in super::super) max_pixels: u64,
}

/// The pixels of a picture, upright.
pub(super) struct Decoded {
    pub(super) kind: ObjectKind,
    pub(super) pixels: Pixels,
    /// The meaning of its colours, where it is not the usual.
    pub(super) icc: Option<Vec<u8>>,
    /// Whether the file keeps every pixel exactly.
    pub(super) is_lossless: bool,
}

/// Pixels without an alpha channel where it would say nothing.
pub(super) enum Pixels {
    Rgb(RgbImage),
    Rgba(RgbaImage),
}

impl Pixels {
    /// Width and height.
    pub(super) fn size(&self) -> (u32, u32) {
        match self {
            Self::Rgb(image) => image.dimensions(),
            Self::Rgba(image) => image.dimensions(),
        }
    }

    fn of(image: DynamicImage) -> Self {
        if !image.color().has_alpha() {
            return Self::Rgb(image.into_rgb8());
        }
        let image = image.into_rgba8();
        if image.pixels().all(|pixel| pixel.0[3] == u8::MAX) {
            return Self::Rgb(DynamicImage::ImageRgba8(image).into_rgb8());
        }
        Self::Rgba(image)
    }
}

/// What the bytes are, by how they begin.
pub(super) fn sniff(bytes: &[u8]) -> Option<ObjectKind> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(ObjectKind::Png)
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some(ObjectKind::Jpeg)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(ObjectKind::Webp)
    } else {
        None
    }
}

/// Decodes `bytes`, after a look at the size that they declare.
pub(super) fn decode(bytes: &[u8], bounds: Bounds) -> Result<Decoded, PictureError> {
    let kind = sniff(bytes).ok_or(PictureError::Format)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format(kind));
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bounds.max_pixels.saturating_mul(BYTES_PER_PIXEL));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(PictureError::Damaged)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > bounds.max_pixels || width.max(height) > MAX_SIDE {
        return Err(PictureError::TooManyPixels { width, height });
    }
    let icc = decoder.icc_profile().ok().flatten().filter(|icc| is_usable(icc));
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|err| match err {
        ImageError::Limits(_) => PictureError::TooManyPixels { width, height },
        err => PictureError::Damaged(err),
    })?;
    image.apply_orientation(orientation);
    let is_lossless = match kind {
        ObjectKind::Png => true,
        ObjectKind::Jpeg => false,
        ObjectKind::Webp => bytes.windows(4).take(MAX_ICC_BYTES).any(|name| name == b"VP8L"),
    };
    Ok(Decoded { kind, pixels: Pixels::of(image), icc, is_lossless })
}

/// Pixels are RGB after decoding, so a profile of anything else would tell a lie.
fn is_usable(icc: &[u8]) -> bool {
    icc.len() <= MAX_ICC_BYTES && icc.get(16..20) == Some(b"RGB ")
}

fn format(kind: ObjectKind) -> ImageFormat {
    match kind {
        ObjectKind::Png => ImageFormat::Png,
        ObjectKind::Jpeg => ImageFormat::Jpeg,
        ObjectKind::Webp => ImageFormat::WebP,
    }
}
