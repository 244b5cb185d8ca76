//! Thumbnails: at most 512 pixels a side, JPEG where nothing shines through.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{RgbImage, RgbaImage};

use super::PictureError;
use super::decode::{Decoded, Pixels};
use super::encode;
use crate::clients::object_storage::ObjectKind;

/// A list of two columns on a phone of 3 pixels a point.
const MAX_SIDE: u32 = 512;

const QUALITY: u8 = 80;

/// An encoded thumbnail.
pub(super) struct Thumbnail {
    pub(super) bytes: Vec<u8>,
    pub(super) kind: ObjectKind,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Makes the thumbnail; a smaller picture keeps its size.
pub(super) fn make(decoded: &Decoded) -> Result<Thumbnail, PictureError> {
    let (width, height) = fit(decoded.pixels.size());
    let icc = decoded.icc.as_deref();
    let (bytes, kind) = match shrink(&decoded.pixels, width, height)? {
        Pixels::Rgb(image) => (encode::jpeg(&image, QUALITY, icc)?, ObjectKind::Jpeg),
        transparent => (encode::webp(&transparent, icc)?, ObjectKind::Webp),
    };
    Ok(Thumbnail { bytes, kind, width, height })
}

fn shrink(pixels: &Pixels, width: u32, height: u32) -> Result<Pixels, PictureError> {
    let (from_width, from_height) = pixels.size();
    let (raw, kind) = match pixels {
        Pixels::Rgb(image) => (image.as_raw(), PixelType::U8x3),
        Pixels::Rgba(image) => (image.as_raw(), PixelType::U8x4),
    };
    let from = ImageRef::new(from_width, from_height, raw, kind)
        .map_err(|err| PictureError::Encode(Box::new(err)))?;
    let mut to = Image::new(width, height, kind);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new()
        .resize(&from, &mut to, &options)
        .map_err(|err| PictureError::Encode(Box::new(err)))?;
    let raw = to.into_vec();
    let made = match pixels {
        Pixels::Rgb(_) => RgbImage::from_raw(width, height, raw).map(Pixels::Rgb),
        Pixels::Rgba(_) => RgbaImage::from_raw(width, height, raw).map(Pixels::Rgba),
    };
    made.ok_or_else(|| PictureError::Encode("a thumbnail of another size".into()))
}

/// The size within [`MAX_SIDE`] with the same proportions, never less than one pixel.
fn fit((width, height): (u32, u32)) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= MAX_SIDE {
        return (width, height);
    }
    let scale = |side: u32| {
        let scaled =
            (u64::from(side) * u64::from(MAX_SIDE) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(scaled).unwrap_or(MAX_SIDE).max(1)
    };
    (scale(width), scale(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_stay_and_nothing_grows() {
        assert_eq!(fit((4096, 4096)), (512, 512));
        assert_eq!(fit((2048, 1152)), (512, 288));
        assert_eq!(fit((1152, 2048)), (288, 512));
        assert_eq!(fit((513, 512)), (512, 511));
        assert_eq!(fit((512, 10)), (512, 10));
        assert_eq!(fit((16_000, 1)), (512, 1));
        assert_eq!(fit((3, 4)), (3, 4));
    }
}
