//! From pixels to bytes.
//!
//! A picture keeps its format. The one exception is lossy WebP, for which there is no encoder
//! without a C library: opaque it becomes JPEG, transparent it becomes lossless WebP.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::PictureError;
use super::decode::{Decoded, Pixels};
use crate::clients::object_storage::ObjectKind;

/// Above this a second loss is not seen, below it text and edges begin to suffer.
const PICTURE_QUALITY: u8 = 92;

/// An encoded picture.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) kind: ObjectKind,
}

/// Encodes all of `decoded`.
pub(super) fn encode(decoded: &Decoded) -> Result<Encoded, PictureError> {
    let icc = decoded.icc.as_deref();
    let (bytes, kind) = match (decoded.kind, &decoded.pixels) {
        (ObjectKind::Png, pixels) => (png(pixels, icc)?, ObjectKind::Png),
        (ObjectKind::Webp, pixels) if decoded.is_lossless => (webp(pixels, icc)?, ObjectKind::Webp),
        (_, Pixels::Rgba(_)) => (webp(&decoded.pixels, icc)?, ObjectKind::Webp),
        (_, Pixels::Rgb(image)) => (jpeg(image, PICTURE_QUALITY, icc)?, ObjectKind::Jpeg),
    };
    Ok(Encoded { bytes, kind })
}

/// JPEG with half the colour resolution, as cameras do.
pub(super) fn jpeg(
    image: &image::RgbImage,
    quality: u8,
    icc: Option<&[u8]>,
) -> Result<Vec<u8>, PictureError> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(failed);
    let (width, height) = (side(image.width())?, side(image.height())?);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    if let Some(icc) = icc {
        encoder.add_icc_profile(icc).map_err(failed)?;
    }
    encoder.encode(image.as_raw(), width, height, ColorType::Rgb).map_err(failed)?;
    Ok(bytes)
}

/// Lossless WebP.
pub(super) fn webp(pixels: &Pixels, icc: Option<&[u8]>) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    write(WebPEncoder::new_lossless(&mut bytes), pixels, icc)?;
    Ok(bytes)
}

fn png(pixels: &Pixels, icc: Option<&[u8]>) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive);
    write(encoder, pixels, icc)?;
    Ok(bytes)
}

fn write(
    mut encoder: impl ImageEncoder,
    pixels: &Pixels,
    icc: Option<&[u8]>,
) -> Result<(), PictureError> {
    if let Some(icc) = icc {
        encoder.set_icc_profile(icc.to_vec()).map_err(failed)?;
    }
    let (width, height) = pixels.size();
    let (raw, color) = match pixels {
        Pixels::Rgb(image) => (image.as_raw(), ExtendedColorType::Rgb8),
        Pixels::Rgba(image) => (image.as_raw(), ExtendedColorType::Rgba8),
    };
    encoder.write_image(raw, width, height, color).map_err(failed)
}

fn failed(err: impl std::error::Error + Send + Sync + 'static) -> PictureError {
    PictureError::Encode(Box::new(err))
}
