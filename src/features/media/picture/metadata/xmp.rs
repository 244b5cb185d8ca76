//! XMP packets: a block of RDF in XML.

use super::FIELD;

/// TC260-PG-20258A names it.
const NAME_SPACE: &str = "http://www.tc260.org.cn/ns/AIGC/1.0/";

const END: &str = "</rdf:RDF>";

/// A packet with the label: what is there already with one block more, or a new one.
pub(super) fn with_label(there: Option<&[u8]>, json: &str) -> Vec<u8> {
    let block = format!(
        "<rdf:Description rdf:about=\"\" xmlns:TC260=\"{NAME_SPACE}\">\
         <TC260:{FIELD}>{}</TC260:{FIELD}></rdf:Description>",
        escaped(json)
    );
    let there = there.and_then(|packet| std::str::from_utf8(packet).ok());
    if let Some((before, after)) = there.and_then(|packet| packet.rsplit_once(END)) {
        return format!("{before}{block}{END}{after}").into_bytes();
    }
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">{block}{END}\
         </x:xmpmeta><?xpacket end=\"r\"?>"
    )
    .into_bytes()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
    out
}
