//! The visible label: 「AI生成」 in the lower right corner.
//!
//! GB 45438-2025 asks for a text at an edge or corner whose height is at least 5 % of the shortest
//! side. White letters on a dark, half transparent plate are read on any picture.

use ab_glyph::{Font as _, FontRef, GlyphId, OutlinedGlyph, PxScale, ScaleFont as _, point};
use image::{GenericImageView, Pixel};

use super::decode::Pixels;

/// Noto Sans CJK SC Bold, only the letters a label needs; `assets/fonts/README.md` says how it was made.
static FONT: &[u8] = include_bytes!("../../../../assets/fonts/label.otf");

/// What the standard wants is 5 %; rounding to whole pixels must not take it below.
const TEXT_HEIGHT: f32 = 0.056;

/// Smaller letters cannot be read, whatever the size of the picture.
const MIN_TEXT_PX: f32 = 12.0;

/// Around the text inside the plate, and around the plate, as parts of the text's height.
const PADDING: f32 = 0.45;
const MARGIN: f32 = 0.55;

/// How dark the plate is.
const PLATE_ALPHA: f32 = 0.5;

/// More would be wider than a narrow picture.
const MAX_CHARACTERS: usize = 10;

/// How results are labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSettings {
    /// Whether the corner mark is drawn. The metadata is always written.
    pub visible: bool,
    /// The corner mark.
    pub text: String,
    /// Who made the picture, for the metadata: a name or code of the service's provider.
    pub producer: String,
}

impl Default for LabelSettings {
    fn default() -> Self {
        Self { visible: true, text: "AI生成".to_owned(), producer: "dream-bff".to_owned() }
    }
}

/// Why a label cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("the text needs 1 to {MAX_CHARACTERS} characters")]
    Length,
    /// The standard wants both elements: AI or 人工智能, and 生成 or 合成.
    #[error("the text must say AI or 人工智能, and 生成 or 合成")]
    Meaning,
    #[error("the embedded font has no {0:?}")]
    Letter(char),
}

impl LabelSettings {
    /// Whether the text may stand on a picture and can be drawn.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn check(&self) -> Result<(), LabelError> {
        if !(1..=MAX_CHARACTERS).contains(&self.text.chars().count()) {
            return Err(LabelError::Length);
        }
        let says = |words: [&str; 2]| words.iter().any(|word| self.text.contains(word));
        if !(says(["AI", "人工智能"]) && says(["生成", "合成"])) {
            return Err(LabelError::Meaning);
        }
        let font = font();
        let has = |letter| font.as_ref().is_some_and(|font| font.glyph_id(letter) != GlyphId(0));
        match self.text.chars().find(|letter| !has(*letter)) {
            Some(letter) => Err(LabelError::Letter(letter)),
            None => Ok(()),
        }
    }
}

/// The text laid out: outlines, and the box around their ink.
struct Layout {
    glyphs: Vec<OutlinedGlyph>,
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

/// Draws the label onto `pixels`.
pub(super) fn draw(pixels: &mut Pixels, settings: &LabelSettings) {
    let (width, height) = pixels.size();
    // A test opens the embedded font, and the check above proves every letter.
    let Some(font) = font() else { return };
    let (w, h) = (as_f32(width), as_f32(height));
    let Some(text) = fit(&font, &settings.text, w, h) else { return };
    let (padding, margin) = (text.height * PADDING, text.height * MARGIN);
    let plate_w = text.width + 2.0 * padding;
    let plate_h = text.height + 2.0 * padding;
    // In a picture hardly larger than its label the margin gives way first.
    let x = (w - plate_w - margin).max(0.0).floor();
    let y = (h - plate_h - margin).max(0.0).floor();
    let plate = Plate { x, y, width: plate_w, height: plate_h, radius: padding };
    plate.draw(pixels);
    let (dx, dy) = (x + padding - text.left, y + padding - text.top);
    for glyph in &text.glyphs {
        let bounds = glyph.px_bounds();
        glyph.draw(|gx, gy, cover| {
            let (px, py) = (bounds.min.x + dx + as_f32(gx), bounds.min.y + dy + as_f32(gy));
            blend(pixels, px, py, 255.0, cover.clamp(0.0, 1.0));
        });
    }
}

/// The largest layout that is wanted and has room.
fn fit(font: &FontRef<'_>, text: &str, width: f32, height: f32) -> Option<Layout> {
    let probe = layout(font, text, 100.0)?;
    let wanted = (width.min(height) * TEXT_HEIGHT).max(MIN_TEXT_PX).ceil();
    let room_w = width / (probe.width / probe.height + 2.0 * PADDING);
    let room_h = height / (1.0 + 2.0 * PADDING);
    let text_height = wanted.min(room_w).min(room_h);
    layout(font, text, 100.0 * text_height / probe.height)
}

fn layout(font: &FontRef<'_>, text: &str, scale: f32) -> Option<Layout> {
    let scaled = font.as_scaled(PxScale::from(scale));
    let mut pen = 0.0;
    let mut glyphs = Vec::new();
    for letter in text.chars() {
        let id = font.glyph_id(letter);
        let glyph = id.with_scale_and_position(scale, point(pen, 0.0));
        pen += scaled.h_advance(id);
        glyphs.extend(font.outline_glyph(glyph));
    }
    let boxes = || glyphs.iter().map(OutlinedGlyph::px_bounds);
    let left = boxes().map(|b| b.min.x).reduce(f32::min)?;
    let top = boxes().map(|b| b.min.y).reduce(f32::min)?;
    let right = boxes().map(|b| b.max.x).reduce(f32::max)?;
    let bottom = boxes().map(|b| b.max.y).reduce(f32::max)?;
    Some(Layout { left, top, width: right - left, height: bottom - top, glyphs })
}

/// A dark rectangle with round corners.
struct Plate {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
    radius: f32,
}

impl Plate {
    fn draw(&self, pixels: &mut Pixels) {
        let mut py = 0.0;
        while py < self.height {
            let mut px = 0.0;
            while px < self.width {
                let alpha = PLATE_ALPHA * self.cover(px + 0.5, py + 0.5);
                blend(pixels, self.x + px, self.y + py, 0.0, alpha);
                px += 1.0;
            }
            py += 1.0;
        }
    }

    /// How much of the pixel at this centre lies inside, from 0 to 1.
    fn cover(&self, x: f32, y: f32) -> f32 {
        let r = self.radius;
        let dx = (r - x).max(x - (self.width - r)).max(0.0);
        let dy = (r - y).max(y - (self.height - r)).max(0.0);
        (r - dx.hypot(dy) + 0.5).clamp(0.0, 1.0)
    }
}

/// Lays a grey of this opacity over one pixel; outside the picture nothing happens.
fn blend(pixels: &mut Pixels, x: f32, y: f32, grey: f32, alpha: f32) {
    let (Some(x), Some(y)) = (as_pixel(x), as_pixel(y)) else { return };
    match pixels {
        Pixels::Rgb(image) if image.in_bounds(x, y) => {
            image.get_pixel_mut(x, y).apply(|value| mix(value, grey, alpha));
        }
        Pixels::Rgba(image) if image.in_bounds(x, y) => {
            let pixel = image.get_pixel_mut(x, y);
            let below = f32::from(pixel.0[3]) / 255.0;
            let above = alpha + below * (1.0 - alpha);
            if above <= 0.0 {
                return;
            }
            pixel.apply_with_alpha(
                |value| mix(value, grey, alpha / above),
                |_| as_channel(above * 255.0),
            );
        }
        Pixels::Rgb(_) | Pixels::Rgba(_) => {}
    }
}

fn mix(value: u8, grey: f32, share: f32) -> u8 {
    as_channel(f32::from(value) * (1.0 - share) + grey * share)
}

fn font() -> Option<FontRef<'static>> {
    FontRef::try_from_slice(FONT).ok()
}

#[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
fn as_f32(pixels: u32) -> f32 {
    pixels as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be within the range just before"
)]
fn as_pixel(at: f32) -> Option<u32> {
    (0.0..16_777_216.0).contains(&at).then_some(at as u32)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range just before"
)]
fn as_channel(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn labelled(width: u32, height: u32, grey: u8) -> RgbImage {
        let mut pixels = Pixels::Rgb(RgbImage::from_pixel(width, height, Rgb([grey; 3])));
        draw(&mut pixels, &LabelSettings::default());
        let Pixels::Rgb(image) = pixels else { panic!() };
        image
    }

    /// Rows that hold letters, on a black picture, where the plate is not seen.
    fn text_height(image: &RgbImage) -> usize {
        let is_ink = |row: &u32| (0..image.width()).any(|x| image.get_pixel(x, *row).0[0] > 128);
        (0..image.height()).filter(is_ink).count()
    }

    #[test]
    fn the_letters_are_a_twentieth_of_the_shortest_side() {
        for (width, height) in [(1024, 1024), (2048, 878), (720, 1280), (4096, 4096), (300, 5000)] {
            let shortest = width.min(height) as usize;
            let text = text_height(&labelled(width, height, 0));
            assert!(text * 20 >= shortest, "{width}×{height}: {text}");
            assert!(text * 12 <= shortest, "{width}×{height}: {text} is a lot");
        }
    }

    #[test]
    fn it_stands_in_the_corner_and_is_read_on_light_and_dark() {
        for grey in [0, 128, 255] {
            let image = labelled(800, 600, grey);
            let mut brightest = 0;
            let mut darkest = 255;
            for (x, y, pixel) in image.enumerate_pixels() {
                if pixel.0[0] != grey {
                    assert!(x > 550 && y > 500, "{x} {y}");
                }
                if x > 550 && y > 500 {
                    brightest = brightest.max(pixel.0[0]);
                    darkest = darkest.min(pixel.0[0]);
                }
            }
            assert!(brightest - darkest >= 120, "on {grey}: {darkest} to {brightest}");
        }
    }

    #[test]
    fn any_size_survives_and_transparency_is_filled_in() {
        for (width, height) in [(1, 1), (1, 500), (500, 1), (13, 17), (64, 64)] {
            labelled(width, height, 255);
        }
        let mut pixels = Pixels::Rgba(RgbaImage::from_pixel(400, 400, Rgba([0; 4])));
        draw(&mut pixels, &LabelSettings::default());
        let Pixels::Rgba(image) = pixels else { panic!() };
        assert_eq!(image.get_pixel(0, 0).0, [0; 4]);
        assert!(image.pixels().any(|pixel| pixel.0 == [255; 4]));
    }

    #[test]
    fn only_texts_that_say_it_and_can_be_drawn_are_labels() {
        let check = |text: &str| {
            LabelSettings { text: text.to_owned(), ..LabelSettings::default() }.check()
        };
        for good in ["AI生成", "AI 生成", "人工智能生成", "图片由AI合成", "本图为人工智能合成"]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check(""), Err(LabelError::Length));
        assert_eq!(check("AI生成AI生成AI生成"), Err(LabelError::Length));
        assert_eq!(check("梦境"), Err(LabelError::Meaning));
        assert_eq!(check("AI"), Err(LabelError::Meaning));
        assert_eq!(check("AI生成梦"), Err(LabelError::Letter('梦')));
    }
}
