//! WebP: RIFF chunks of name, length and data, padded to even lengths. Metadata needs the extended
//! header `VP8X`, which says how large the canvas is and what else there is.

/// "RIFF", length, "WEBP".
const FILE_HEAD: usize = 12;

const FLAG_XMP: u8 = 0x04;
const FLAG_ALPHA: u8 = 0x10;

/// The XMP packet, if there is one.
pub(super) fn find_xmp(bytes: &[u8]) -> Option<Vec<u8>> {
    chunks(bytes).find(|chunk| chunk.name == b"XMP ").map(|chunk| chunk.data.to_vec())
}

/// Puts `packet` in the place of the XMP that is there, or at the end.
pub(super) fn write_xmp(bytes: &[u8], packet: &[u8]) -> Option<Vec<u8>> {
    let mut header: [u8; 10] = match chunks(bytes).find(|chunk| chunk.name == b"VP8X") {
        Some(extended) => extended.data.try_into().ok()?,
        None => extended(&chunks(bytes).next()?)?,
    };
    *header.first_mut()? |= FLAG_XMP;
    let mut body = b"WEBP".to_vec();
    push(&mut body, b"VP8X", &header)?;
    for chunk in chunks(bytes).filter(|chunk| !matches!(chunk.name, b"VP8X" | b"XMP ")) {
        push(&mut body, chunk.name, chunk.data)?;
    }
    push(&mut body, b"XMP ", packet)?;
    let length = u32::try_from(body.len()).ok()?;
    Some([b"RIFF".as_slice(), &length.to_le_bytes(), &body].concat())
}

/// The extended header of a simple file, from the picture's own.
fn extended(picture: &Chunk<'_>) -> Option<[u8; 10]> {
    let (width, height, has_alpha) = match picture.name {
        b"VP8 " => {
            // Frame tag, start code, then 14 bits each with 2 bits of scaling.
            let side = |at: usize| {
                let raw = picture.data.get(at..at + 2)?;
                Some(u32::from(u16::from_le_bytes(raw.try_into().ok()?) & 0x3fff))
            };
            (side(6)?, side(8)?, false)
        }
        b"VP8L" => {
            // Signature, then 14 bits each less one, then a bit for alpha.
            let raw = picture.data.get(1..5)?;
            let bits = u32::from_le_bytes(raw.try_into().ok()?);
            ((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1, bits >> 28 & 1 == 1)
        }
        _ => return None,
    };
    let [w0, w1, w2, _] = width.checked_sub(1)?.to_le_bytes();
    let [h0, h1, h2, _] = height.checked_sub(1)?.to_le_bytes();
    let flags = if has_alpha { FLAG_ALPHA } else { 0 };
    Some([flags, 0, 0, 0, w0, w1, w2, h0, h1, h2])
}

fn push(out: &mut Vec<u8>, name: &[u8], data: &[u8]) -> Option<()> {
    out.extend_from_slice(name);
    out.extend_from_slice(&u32::try_from(data.len()).ok()?.to_le_bytes());
    out.extend_from_slice(data);
    if data.len() % 2 == 1 {
        out.push(0);
    }
    Some(())
}

struct Chunk<'a> {
    name: &'a [u8],
    data: &'a [u8],
}

fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(FILE_HEAD..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        let name = rest.get(..4)?;
        let data = rest.get(8..length.checked_add(8)?)?;
        // A last chunk may lack its padding.
        rest = rest.get(8 + length + length % 2..).unwrap_or_default();
        Some(Chunk { name, data })
    })
}
