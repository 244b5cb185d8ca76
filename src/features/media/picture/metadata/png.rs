//! PNG: a signature, then chunks of length, name, data and CRC.

use super::{FIELD, Found, is_label};

const SIGNATURE: usize = 8;

/// Length, name and CRC around a chunk's data.
const AROUND: usize = 12;

/// The keyword of XMP in `iTXt`, with the flags that say "not compressed, no language".
const XMP_HEAD: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";

/// A `tEXt` or `iTXt` chunk named `AIGC`, or XMP that holds it.
pub(super) fn find(bytes: &[u8]) -> Option<Found> {
    chunks(bytes).find_map(|chunk| match chunk.name {
        b"tEXt" => {
            let text = after_keyword(chunk.data)?;
            // Latin-1 by the standard, JSON in UTF-8 by those who write it.
            Some(Found::Text(String::from_utf8_lossy(text).into_owned()))
        }
        b"iTXt" => match chunk.data.strip_prefix(XMP_HEAD) {
            Some(packet) => is_label(packet).then(|| Found::Xmp(packet.to_vec())),
            None => {
                // Compression flag 0, method, language, translated keyword, text.
                let rest = after_keyword(chunk.data)?.strip_prefix(b"\0\0")?;
                let text = rest.splitn(3, |byte| *byte == 0).nth(2)?;
                Some(Found::Text(String::from_utf8_lossy(text).into_owned()))
            }
        },
        _ => None,
    })
}

/// Adds a chunk with the JSON right after the header.
pub(super) fn write_text(bytes: &[u8], json: &str) -> Option<Vec<u8>> {
    let keyword = [FIELD.as_bytes(), b"\0"].concat();
    if json.is_ascii() {
        return insert(bytes, *b"tEXt", &[&keyword, json.as_bytes()].concat());
    }
    insert(bytes, *b"iTXt", &[&keyword, b"\0\0\0\0".as_slice(), json.as_bytes()].concat())
}

/// Adds an XMP packet right after the header.
pub(super) fn write_xmp(bytes: &[u8], packet: &[u8]) -> Option<Vec<u8>> {
    insert(bytes, *b"iTXt", &[XMP_HEAD, packet].concat())
}

fn after_keyword(data: &[u8]) -> Option<&[u8]> {
    data.strip_prefix(FIELD.as_bytes())?.strip_prefix(b"\0")
}

fn insert(bytes: &[u8], name: [u8; 4], data: &[u8]) -> Option<Vec<u8>> {
    let header = chunks(bytes).next().filter(|chunk| chunk.name == b"IHDR")?;
    let (head, rest) = bytes.split_at_checked(SIGNATURE + AROUND + header.data.len())?;
    let length = u32::try_from(data.len()).ok()?;
    let named = [&name, data].concat();
    let crc = crc32fast::hash(&named).to_be_bytes();
    Some([head, &length.to_be_bytes(), &named, &crc, rest].concat())
}

struct Chunk<'a> {
    name: &'a [u8],
    data: &'a [u8],
}

fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        let name = rest.get(4..8)?;
        let data = rest.get(8..length.checked_add(8)?)?;
        rest = rest.get(length.checked_add(AROUND)?..)?;
        Some(Chunk { name, data })
    })
}
