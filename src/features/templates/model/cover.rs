//! The cover of a template that has no picture of its own: soft discs of light over a gradient in the
//! colours of its category, always the same for one id.

use jpeg_encoder::{ColorType, Encoder, EncodingError};
use sha2::{Digest, Sha256};

/// Width and height in pixels.
const SIDE: u16 = 320;

/// There are no edges that a lower quality could harm.
const QUALITY: u8 = 80;

/// Discs of light.
const DISCS: usize = 5;

type Colour = [i64; 3];

/// The three colours of each category: two ends of the gradient, and the light.
const PALETTES: [(&str, [Colour; 3]); 6] = [
    ("portrait", [[0x8E, 0x4A, 0x49], [0xF2, 0xC0, 0x9A], [0xFF, 0xE9, 0xD2]]),
    ("landscape", [[0x1F, 0x4E, 0x5F], [0x9F, 0xC8, 0xB4], [0xFF, 0xF3, 0xC4]]),
    ("guofeng", [[0x2F, 0x3B, 0x40], [0xC9, 0xB9, 0x96], [0xD9, 0x53, 0x3C]]),
    ("anime", [[0x3D, 0x5A, 0xC8], [0xF5, 0xA3, 0xC7], [0xFF, 0xFF, 0xFF]]),
    ("product", [[0x5A, 0x60, 0x6B], [0xE6, 0xE3, 0xDC], [0xF7, 0xC9, 0x6B]]),
    ("poster", [[0x6B, 0x1D, 0x3A], [0xF0, 0x8A, 0x4B], [0xFF, 0xE0, 0x66]]),
];

/// Paints the cover: a JPEG of a few kilobytes, in some milliseconds.
///
/// # Errors
/// When the encoder fails, which it has no reason to.
pub(in crate::features::templates) fn paint_cover(
    id: &str,
    category: &str,
) -> Result<Vec<u8>, EncodingError> {
    let dice: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let [dark, light, glow] = palette(category);
    let side = i64::from(SIDE);
    let discs = discs(&dice, side);
    // The gradient falls from one of the corners.
    let (flip_x, flip_y) = (dice[30].is_multiple_of(2), dice[31].is_multiple_of(2));
    let mut pixels = Vec::with_capacity(usize::from(SIDE) * usize::from(SIDE) * 3);
    for y in 0..side {
        for x in 0..side {
            let across = if flip_x { side - 1 - x } else { x };
            let down = if flip_y { side - 1 - y } else { y };
            let mut colour = mixed(dark, light, (across + 2 * down) * 256 / (3 * side));
            for (at_x, at_y, radius) in discs {
                let distance = (x - at_x).pow(2) + (y - at_y).pow(2);
                let inside = radius.pow(2) - distance;
                if inside > 0 {
                    colour = mixed(colour, glow, 110 * inside / radius.pow(2));
                }
            }
            pixels.extend(colour.map(|part| u8::try_from(part).unwrap_or(u8::MAX)));
        }
    }
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, QUALITY).encode(&pixels, SIDE, SIDE, ColorType::Rgb)?;
    Ok(jpeg)
}

/// Those of the category; of others one that their name leads to.
fn palette(category: &str) -> [Colour; 3] {
    let known = PALETTES.iter().find(|(name, _)| *name == category);
    let any = || {
        let sum = category.bytes().fold(0_usize, |sum, byte| sum.wrapping_add(byte.into()));
        &PALETTES[sum % PALETTES.len()]
    };
    known.unwrap_or_else(any).1
}

/// Centre and radius of each disc.
fn discs(dice: &[u8; 32], side: i64) -> [(i64, i64, i64); DISCS] {
    std::array::from_fn(|disc| {
        let roll = |at: usize| i64::from(dice[3 * disc + at]);
        (roll(0) * side / 256, roll(1) * side / 256, side / 8 + roll(2) * side / 700)
    })
}

/// `share` of 256 parts are `to`.
fn mixed(from: Colour, to: Colour, share: i64) -> Colour {
    std::array::from_fn(|part| from[part] + (to[part] - from[part]) * share / 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cover_is_a_small_picture_of_its_own() {
        let cover = paint_cover("portrait-film", "portrait").unwrap();
        let picture = image::load_from_memory(&cover).unwrap();
        assert_eq!((picture.width(), picture.height()), (320, 320));
        assert!(cover.len() < 20_000, "{}", cover.len());
        assert_eq!(cover, paint_cover("portrait-film", "portrait").unwrap());
        assert_ne!(cover, paint_cover("portrait-neon", "portrait").unwrap());
        assert_ne!(cover, paint_cover("portrait-film", "anime").unwrap());
        paint_cover("", "自定义").unwrap();
    }
}
