//! Draws a picture from a prompt: the same prompt the same picture, another prompt another one.
//!
//! Not what the prompt says, of course, but something one likes to look at: landscapes, seas,
//! planets, abstract shapes, in a palette and a composition that a hash of the prompt decides. A
//! few words (sea, forest, 夜, 沙漠 …) choose the scene. Integer arithmetic throughout, so that a
//! picture is the same on every machine; row by row, so that a large one needs little memory.

mod abstracts;
mod landscape;
mod noise;
mod palette;
mod ridges;
mod sky;

use std::io::Write as _;

use self::abstracts::Abstract;
use self::landscape::Landscape;
use self::noise::Dice;
use self::palette::{Color, Palette};

/// Kinds of picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scene {
    Mountains,
    Forest,
    Dunes,
    Sea,
    Planet,
    Abstract,
}

const SCENES: [Scene; 6] =
    [Scene::Mountains, Scene::Forest, Scene::Dunes, Scene::Sea, Scene::Planet, Scene::Abstract];

/// Words that choose the scene; the first that occurs wins.
const SCENE_WORDS: [(&str, Scene); 28] = [
    ("abstract", Scene::Abstract),
    ("抽象", Scene::Abstract),
    ("几何", Scene::Abstract),
    ("desert", Scene::Dunes),
    ("dune", Scene::Dunes),
    ("沙", Scene::Dunes),
    ("forest", Scene::Forest),
    ("tree", Scene::Forest),
    ("森林", Scene::Forest),
    ("树", Scene::Forest),
    ("竹", Scene::Forest),
    ("ocean", Scene::Sea),
    ("beach", Scene::Sea),
    ("island", Scene::Sea),
    ("sea", Scene::Sea),
    ("海", Scene::Sea),
    ("湖", Scene::Sea),
    ("岛", Scene::Sea),
    ("space", Scene::Planet),
    ("planet", Scene::Planet),
    ("galaxy", Scene::Planet),
    ("宇宙", Scene::Planet),
    ("星球", Scene::Planet),
    ("银河", Scene::Planet),
    ("mountain", Scene::Mountains),
    ("snow", Scene::Mountains),
    ("山", Scene::Mountains),
    ("雪", Scene::Mountains),
];

/// Something that can be drawn row by row, top to bottom.
trait Drawing {
    /// Paints row `y`. Colours are in 1/256 of a step.
    fn row(&mut self, y: i64, row: &mut [Color]);
}

/// Draws a picture as PNG (8 bits RGB). `seed` decides everything that the words do not.
///
/// # Errors
/// When the encoder refuses, as it does for a side of 0.
pub(super) fn draw(
    prompt: &str,
    seed: &[u8; 32],
    width: u32,
    height: u32,
) -> Result<Vec<u8>, png::EncodingError> {
    let prompt = prompt.to_lowercase();
    let mut dice = Dice::new(seed);
    let by_chance = SCENES[dice.index(SCENES.len())];
    let scene = SCENE_WORDS.iter().find(|(word, _)| prompt.contains(word));
    let scene = scene.map_or(by_chance, |(_, scene)| *scene);
    let palette = Palette::choose(&prompt, scene, &mut dice);
    if scene == Scene::Abstract {
        encode(&mut Abstract::new(&palette, &mut dice, width, height), width, height)
    } else {
        encode(&mut Landscape::new(scene, palette, &mut dice, width, height), width, height)
    }
}

fn encode(
    drawing: &mut impl Drawing,
    width: u32,
    height: u32,
) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Up);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer()?;
    let columns = usize::try_from(width).unwrap_or_default();
    let mut colors = vec![[0; 3]; columns];
    let mut bytes = vec![0; columns * 3];
    for y in 0..i64::from(height) {
        drawing.row(y, &mut colors);
        for (pixel, color) in bytes.chunks_exact_mut(3).zip(&colors) {
            for (byte, value) in pixel.iter_mut().zip(color) {
                *byte = u8::try_from(((value + 128) >> 8).clamp(0, 255)).unwrap_or(u8::MAX);
            }
        }
        stream.write_all(&bytes)?;
    }
    stream.finish()?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests;
