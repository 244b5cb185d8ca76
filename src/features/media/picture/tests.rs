//! Whole pictures through the whole pipeline.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageEncoder as _, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use super::metadata::Found;
use super::*;

const BOUNDS: Bounds = Bounds { max_pixels: 1_000_000 };

fn gradient(width: u32, height: u32) -> DynamicImage {
    let shade = |at: u32, side: u32| u8::try_from(at * 255 / side).unwrap();
    let image =
        RgbImage::from_fn(width, height, |x, y| Rgb([shade(x, width), shade(y, height), 128]));
    DynamicImage::ImageRgb8(image)
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn result(bytes: Vec<u8>, visible: bool) -> Result<WithThumbnail, PictureError> {
    let label = LabelSettings { visible, ..LabelSettings::default() };
    prepare_result(bytes, &Aigc::generated("dream", "job_1-0"), &label, BOUNDS)
}

fn mark_of(prepared: &Prepared) -> String {
    match metadata::find(&prepared.picture, prepared.kind).unwrap() {
        Found::Text(json) => json,
        Found::Xmp(packet) => String::from_utf8(packet).unwrap(),
    }
}

/// EXIF with an orientation and a place: big-endian TIFF, one entry and a GPS pointer.
fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08".to_vec();
    tiff.extend([0, 2]);
    tiff.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    tiff.extend([0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38]);
    tiff.extend([0, 0, 0, 0]);
    tiff.extend([0, 1, 0, 1, 0, 2, 0, 0, 0, 2, b'N', 0, 0, 0, 0, 0, 0, 0]);
    tiff
}

#[test]
fn a_result_of_any_format_is_labelled_twice() {
    for (format, kind) in [
        (ImageFormat::Png, ObjectKind::Png),
        (ImageFormat::Jpeg, ObjectKind::Jpeg),
        (ImageFormat::WebP, ObjectKind::Webp),
    ] {
        let plain = encoded(&gradient(640, 480), format);
        let done = result(plain.clone(), true).unwrap();
        assert_eq!((done.full.kind, done.full.width, done.full.height), (kind, 640, 480));
        let thumbnail = (done.thumbnail.kind, done.thumbnail.width, done.thumbnail.height);
        assert_eq!(thumbnail, (ObjectKind::Jpeg, 512, 384));
        for part in [&done.full, &done.thumbnail] {
            assert!(mark_of(part).contains("job_1-0"), "{format:?}");
            let image = image::load_from_memory(&part.picture).unwrap().to_rgb8();
            assert_eq!(image.dimensions(), (part.width, part.height));
            // White letters in the corner, where the gradient is not white.
            let corner = image::imageops::crop_imm(
                &image,
                part.width * 3 / 4,
                part.height * 7 / 8,
                part.width / 4,
                part.height / 8,
            );
            let white = corner.to_image().pixels().filter(|p| p.0.iter().all(|c| *c > 225)).count();
            assert!(white > 50, "{format:?}: {white}");
        }
    }
}

#[test]
fn without_the_visible_mark_not_a_pixel_changes() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let plain = encoded(&gradient(600, 400), format);
        let done = result(plain.clone(), false).unwrap();
        assert!(mark_of(&done.full).contains("job_1-0"));
        let decoded = |bytes: &[u8]| image::load_from_memory(bytes).unwrap();
        assert_eq!(decoded(&done.full.picture), decoded(&plain), "{format:?}");
        // Twice the same, byte for byte: a resumed job finds its picture there already.
        assert_eq!(result(plain, false).unwrap().full.picture, done.full.picture);
    }
}

#[test]
fn a_label_of_the_image_api_is_kept_and_stays_the_only_one() {
    let theirs = Found::Text(r#"{"Label":"1","ContentProducer":"upstream"}"#.to_owned());
    for (format, kind) in [
        (ImageFormat::Png, ObjectKind::Png),
        (ImageFormat::Jpeg, ObjectKind::Jpeg),
        (ImageFormat::WebP, ObjectKind::Webp),
    ] {
        let marked = metadata::write(&encoded(&gradient(300, 300), format), kind, &theirs).unwrap();
        for visible in [true, false] {
            let done = result(marked.clone(), visible).unwrap();
            for part in [&done.full, &done.thumbnail] {
                let mark = mark_of(part);
                assert!(mark.contains("upstream") && !mark.contains("job_1-0"), "{mark}");
                let text = String::from_utf8_lossy(&part.picture);
                assert_eq!(text.matches("ContentProducer").count(), 1);
            }
            if !visible {
                assert_eq!(done.full.picture, marked);
            }
        }
    }
}

#[test]
fn an_upload_loses_place_and_words_and_stands_upright() {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
    encoder.set_exif_metadata(exif(6)).unwrap();
    let image = gradient(64, 32).into_rgb8();
    encoder.write_image(&image, 64, 32, image::ExtendedColorType::Rgb8).unwrap();
    bytes.extend(b"<script>behind the end</script>");
    assert!(bytes.windows(4).any(|part| part == b"Exif"));

    let done = prepare_upload(&bytes, BOUNDS).unwrap();
    assert_eq!((done.kind, done.width, done.height), (ObjectKind::Jpeg, 32, 64));
    for gone in [b"Exif".as_slice(), b"script", b"GPS", b"MM\0\x2a"] {
        assert!(!done.picture.windows(gone.len()).any(|part| part == gone));
    }
    assert_eq!(metadata::find(&done.picture, done.kind), None, "an upload is not generated");

    let png = encoded(&gradient(40, 40), ImageFormat::Png);
    let worded = metadata::write(&png, ObjectKind::Png, &Found::Text("secret".into())).unwrap();
    let done = prepare_upload(&worded, BOUNDS).unwrap();
    assert!(!done.picture.windows(6).any(|part| part == b"secret"));
}

#[test]
fn transparency_stays() {
    let image =
        RgbaImage::from_fn(700, 700, |x, _| Rgba([9, 200, 9, if x < 350 { 0 } else { 255 }]));
    let done = result(encoded(&DynamicImage::ImageRgba8(image), ImageFormat::Png), true).unwrap();
    assert_eq!((done.full.kind, done.thumbnail.kind), (ObjectKind::Png, ObjectKind::Webp));
    for part in [&done.full, &done.thumbnail] {
        let image = image::load_from_memory(&part.picture).unwrap().to_rgba8();
        assert_eq!(image.get_pixel(0, 0).0[3], 0);
        assert_eq!(image.get_pixel(part.width - 1, 0).0[3], 255);
    }
}

#[test]
fn what_is_no_picture_is_refused() {
    for bytes in [b"".as_slice(), b"<html>", b"GIF89a", b"\x89PNG", b"%PDF-1.4", b"<svg/>"] {
        assert!(matches!(prepare_upload(bytes, BOUNDS), Err(PictureError::Format)));
    }
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let whole = encoded(&gradient(64, 64), format);
        let half = prepare_upload(&whole[..whole.len() / 2], BOUNDS);
        assert!(matches!(half, Err(PictureError::Damaged(_))), "{format:?}");
        let head = prepare_upload(&whole[..16], BOUNDS);
        assert!(matches!(head, Err(PictureError::Damaged(_))), "{format:?}");
    }
}

/// A few bytes that claim to be a picture of gigabytes.
#[test]
fn bombs_are_refused_by_what_they_declare() {
    let mut png = encoded(&gradient(1, 1), ImageFormat::Png);
    png[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let crc = crc32fast::hash(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&crc);

    let mut jpeg = encoded(&gradient(8, 8), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|part| part == b"\xff\xc0").unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xfd, 0xe8, 0xfd, 0xe8]);

    let mut webp = encoded(&gradient(8, 8), ImageFormat::WebP);
    let picture = webp.windows(4).position(|part| part == b"VP8L").unwrap() + 9;
    // 16 383 in both directions, 14 bits each less one: the most that WebP can say.
    let sides: u32 = 16_382 | 16_382 << 14;
    webp[picture..picture + 4].copy_from_slice(&sides.to_le_bytes());

    for bomb in [png, jpeg, webp] {
        assert!(bomb.len() < 2000);
        let refused = prepare_upload(&bomb, BOUNDS).map(drop).unwrap_err();
        assert!(
            matches!(refused, PictureError::TooManyPixels { width: 16_383.., .. }),
            "{refused:?}"
        );
    }
    let large = encoded(&gradient(1001, 1000), ImageFormat::Png);
    let refused = prepare_upload(&large, BOUNDS);
    assert!(matches!(refused, Err(PictureError::TooManyPixels { width: 1001, height: 1000 })));
    // Allowed in pixels, but longer than the formats can say.
    let long =
        encoded(&DynamicImage::ImageLuma8(image::GrayImage::new(16_384, 1)), ImageFormat::Png);
    assert!(matches!(prepare_upload(&long, BOUNDS), Err(PictureError::TooManyPixels { .. })));
}

#[test]
fn odd_colours_are_made_usual() {
    for image in [
        DynamicImage::ImageLuma8(gradient(30, 20).into_luma8()),
        DynamicImage::ImageLumaA8(gradient(30, 20).into_luma_alpha8()),
        DynamicImage::ImageRgb16(gradient(30, 20).into_rgb16()),
        DynamicImage::ImageRgba16(gradient(30, 20).into_rgba16()),
    ] {
        let done = result(encoded(&image, ImageFormat::Png), true).unwrap();
        assert_eq!((done.full.width, done.full.height), (30, 20));
        assert_eq!(done.thumbnail.kind, ObjectKind::Jpeg, "opaque in the end");
    }
}
