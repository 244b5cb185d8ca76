//! What is written is found again, by us and by the independent readers of the decoders.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::codecs::webp::WebPDecoder;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, RgbImage, RgbaImage};

use super::*;

const JSON: &str = r#"{"Label":"1","ContentProducer":"<a & b>"}"#;
const ESCAPED: &str =
    "{&quot;Label&quot;:&quot;1&quot;,&quot;ContentProducer&quot;:&quot;&lt;a &amp; b&gt;&quot;}";

fn picture(kind: ObjectKind) -> Vec<u8> {
    let format = match kind {
        ObjectKind::Png => ImageFormat::Png,
        ObjectKind::Jpeg => ImageFormat::Jpeg,
        ObjectKind::Webp => ImageFormat::WebP,
    };
    let image = RgbImage::from_fn(21, 13, |x, y| image::Rgb([x as u8 * 9, y as u8 * 9, 77]));
    encoded(&DynamicImage::ImageRgb8(image), format)
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn pixels(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory(bytes).unwrap()
}

/// What the decoders, which know nothing of this module, read.
fn text_of_png(bytes: &[u8]) -> Vec<(String, String)> {
    let reader = ::png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
    let info = reader.info();
    let latin1 = info.uncompressed_latin1_text.iter().map(|t| (t.keyword.clone(), t.text.clone()));
    let utf8 = info.utf8_text.iter().map(|t| (t.keyword.clone(), t.get_text().unwrap()));
    latin1.chain(utf8).collect()
}

fn xmp_of(bytes: &[u8], kind: ObjectKind) -> String {
    let packet = match kind {
        ObjectKind::Jpeg => JpegDecoder::new(Cursor::new(bytes)).unwrap().xmp_metadata(),
        _ => WebPDecoder::new(Cursor::new(bytes)).unwrap().xmp_metadata(),
    };
    String::from_utf8(packet.unwrap().unwrap()).unwrap()
}

#[test]
fn a_label_is_written_and_read_in_every_format() {
    for kind in [ObjectKind::Png, ObjectKind::Jpeg, ObjectKind::Webp] {
        let plain = picture(kind);
        assert_eq!(find(&plain, kind), None);
        let marked = write(&plain, kind, &Found::Text(JSON.to_owned())).unwrap();
        assert_eq!(pixels(&marked), pixels(&plain), "{kind:?}");
        match (kind, find(&marked, kind).unwrap()) {
            (ObjectKind::Png, found) => {
                assert_eq!(found, Found::Text(JSON.to_owned()));
                assert_eq!(text_of_png(&marked), [("AIGC".to_owned(), JSON.to_owned())]);
            }
            (_, Found::Xmp(packet)) => {
                let packet = String::from_utf8(packet).unwrap();
                assert!(packet.contains(ESCAPED), "{packet}");
                assert_eq!(xmp_of(&marked, kind), packet);
            }
            (_, Found::Text(_)) => panic!("{kind:?}"),
        }
    }
}

#[test]
fn what_is_not_ascii_goes_where_utf8_belongs() {
    let json = r#"{"Label":"1","ContentProducer":"梦"}"#;
    let label = Found::Text(json.to_owned());
    let marked = write(&picture(ObjectKind::Png), ObjectKind::Png, &label).unwrap();
    assert_eq!(text_of_png(&marked), [("AIGC".to_owned(), json.to_owned())]);
    assert_eq!(find(&marked, ObjectKind::Png), Some(label));
}

#[test]
fn a_packet_of_others_keeps_its_words() {
    let theirs = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
                  xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description \
                  rdf:about=\"\" xmlns:dc=\"d\" dc:format=\"theirs\"/></rdf:RDF></x:xmpmeta>";
    for kind in [ObjectKind::Jpeg, ObjectKind::Webp] {
        let theirs = Found::Xmp(theirs.as_bytes().to_vec());
        let with_theirs = write(&picture(kind), kind, &theirs).unwrap();
        assert_eq!(find(&with_theirs, kind), None, "this is no label");
        let both = write(&with_theirs, kind, &Found::Text(JSON.to_owned())).unwrap();
        let packet = xmp_of(&both, kind);
        assert!(packet.contains("theirs") && packet.contains(ESCAPED), "{packet}");
        assert_eq!(packet.matches("</rdf:RDF>").count(), 1);
        assert_eq!(pixels(&both), pixels(&with_theirs));
    }
}

#[test]
fn transparent_webp_stays_transparent() {
    let image = RgbaImage::from_pixel(5, 7, image::Rgba([1, 2, 3, 4]));
    let plain = encoded(&DynamicImage::ImageRgba8(image), ImageFormat::WebP);
    let marked = write(&plain, ObjectKind::Webp, &Found::Text(JSON.to_owned())).unwrap();
    assert_eq!(pixels(&marked), pixels(&plain));
    assert_eq!(pixels(&marked).to_rgba8().get_pixel(0, 0).0, [1, 2, 3, 4]);
}

#[test]
fn cut_and_garbled_files_do_no_harm() {
    for kind in [ObjectKind::Png, ObjectKind::Jpeg, ObjectKind::Webp] {
        let label = Found::Text(JSON.to_owned());
        let marked = write(&picture(kind), kind, &label).unwrap();
        for end in 0..marked.len() {
            let _ = find(&marked[..end], kind);
            let _ = write(&marked[..end], kind, &label);
        }
        for at in 0..marked.len().min(600) {
            let mut garbled = marked.clone();
            garbled[at] = 0xff;
            let _ = find(&garbled, kind);
            let _ = write(&garbled, kind, &label);
        }
    }
}
