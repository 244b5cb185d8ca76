//! JPEG: a marker, then segments of marker, length and data until the picture begins.

const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const START_OF_SCAN: u8 = 0xda;

const XMP_HEAD: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// The XMP packet, if there is one.
pub(super) fn find_xmp(bytes: &[u8]) -> Option<Vec<u8>> {
    segments(bytes).find_map(|segment| xmp(&segment).map(<[u8]>::to_vec))
}

/// Puts `packet` in the place of the XMP that is there, or behind the JFIF header.
pub(super) fn write_xmp(bytes: &[u8], packet: &[u8]) -> Option<Vec<u8>> {
    let mut out = bytes.get(..2)?.to_vec();
    let mut done = 2;
    let mut is_written = false;
    for segment in segments(bytes) {
        // JFIF must come first.
        if segment.marker != APP0 && !is_written {
            push_xmp(&mut out, packet)?;
            is_written = true;
        }
        if xmp(&segment).is_none() {
            out.extend_from_slice(bytes.get(segment.from..segment.to)?);
        }
        done = segment.to;
    }
    if !is_written {
        push_xmp(&mut out, packet)?;
    }
    out.extend_from_slice(bytes.get(done..)?);
    Some(out)
}

fn push_xmp(out: &mut Vec<u8>, packet: &[u8]) -> Option<()> {
    // The length counts itself.
    let length = u16::try_from(2 + XMP_HEAD.len() + packet.len()).ok()?;
    out.extend_from_slice(&[0xff, APP1]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(XMP_HEAD);
    out.extend_from_slice(packet);
    Some(())
}

fn xmp<'a>(segment: &Segment<'a>) -> Option<&'a [u8]> {
    (segment.marker == APP1).then(|| segment.data.strip_prefix(XMP_HEAD)).flatten()
}

struct Segment<'a> {
    marker: u8,
    data: &'a [u8],
    from: usize,
    to: usize,
}

fn segments(bytes: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut at = 2;
    std::iter::from_fn(move || {
        let from = at;
        // Any number of 0xff may stand before a marker.
        let mut marker_at = from;
        while bytes.get(marker_at) == Some(&0xff) {
            marker_at += 1;
        }
        let marker = *bytes.get(marker_at)?;
        if marker_at == from || marker == START_OF_SCAN {
            return None;
        }
        let length = bytes.get(marker_at + 1..marker_at + 3)?;
        let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
        let to = marker_at + 1 + length;
        let data = bytes.get(marker_at + 3..to)?;
        at = to;
        Some(Segment { marker, data, from, to })
    })
}
