//! What is drawn decodes, has the right size and differs by prompt.

use sha2::{Digest as _, Sha256};

use super::*;

fn pixels(prompt: &str, width: u32, height: u32) -> Vec<u8> {
    let seed = Sha256::digest(prompt).into();
    let png = draw(prompt, &seed, width, height).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (width, height));
    pixels
}

/// Mean difference of two pictures per byte.
fn difference(a: &[u8], b: &[u8]) -> u64 {
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum / u64::try_from(a.len()).unwrap()
}

#[test]
fn a_prompt_repeats_and_another_differs_visibly() {
    let prompts = ["a cat", "a dog", "城市", "水墨", "robot", "flowers", "castle", "dragon"];
    let pictures: Vec<_> = prompts.iter().map(|prompt| pixels(prompt, 96, 96)).collect();
    assert_eq!(pictures[0], pixels(prompts[0], 96, 96));
    for (i, a) in pictures.iter().enumerate() {
        for b in &pictures[i + 1..] {
            assert!(difference(a, b) >= 8, "two of {prompts:?} look alike");
        }
    }
}

#[test]
fn every_scene_is_drawn_in_every_shape_down_to_one_pixel() {
    let words = ["mountain", "forest", "desert", "sea", "planet", "abstract"];
    for word in words {
        for (width, height) in [(1, 1), (2, 90), (90, 2), (64, 64), (120, 52), (36, 64)] {
            let picture = pixels(word, width, height);
            if width >= 36 && height >= 36 {
                let (darkest, brightest) =
                    (picture.iter().min().unwrap(), picture.iter().max().unwrap());
                assert!(brightest - darkest > 60, "{word} at {width}x{height} is flat");
            }
        }
    }
}

#[test]
fn a_side_of_zero_is_an_error() {
    assert!(draw("a", &[0; 32], 0, 10).is_err());
}
