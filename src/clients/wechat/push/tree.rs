//! JSON and XML as one kind of tree, so that an event is read in one place whatever it came in.
//!
//! XML is the plain part of it: no DTD, so no entities of anybody's making; attributes, comments and
//! processing instructions carry nothing. All its leaves are texts.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

/// Deeper than any message, and far from what recursion minds.
const MAX_DEPTH: usize = 16;

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Xml,
}

/// A message.
pub(super) struct Tree {
    pub(super) format: Format,
    pub(super) root: Map<String, Value>,
}

impl Tree {
    /// Reads `bytes`; `None` when they are neither a JSON object nor plain XML.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        if text.trim_start().starts_with('<') {
            Some(Self { format: Format::Xml, root: xml(text)? })
        } else {
            Some(Self { format: Format::Json, root: serde_json::from_str(text).ok()? })
        }
    }
}

/// An element that is open: its name, its children so far, its text so far.
struct Open {
    name: String,
    children: Map<String, Value>,
    text: String,
}

impl Open {
    fn new(start: &BytesStart<'_>) -> Option<Self> {
        let name = std::str::from_utf8(start.name().into_inner()).ok()?.to_owned();
        Some(Self { name, children: Map::new(), text: String::new() })
    }

    fn close(self) -> (String, Value) {
        let value = match self.children.is_empty() {
            true => Value::String(self.text),
            false => Value::Object(self.children),
        };
        (self.name, value)
    }

    /// Repeated elements become a list, so that nobody takes one of two for the only one.
    fn add(&mut self, (name, value): (String, Value)) {
        match self.children.get_mut(&name) {
            None => {
                self.children.insert(name, value);
            }
            Some(Value::Array(all)) => all.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
}

/// The children of the one root element.
fn xml(text: &str) -> Option<Map<String, Value>> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<Map<String, Value>> = None;
    loop {
        let ended = match reader.read_event().ok()? {
            Event::Start(start) if open.len() < MAX_DEPTH && root.is_none() => {
                open.push(Open::new(&start)?);
                continue;
            }
            Event::Empty(start) if root.is_none() => Open::new(&start)?,
            Event::End(_) => open.pop()?,
            Event::Text(text) => {
                let text = text.decode().ok()?;
                match open.last_mut() {
                    Some(element) => element.text.push_str(&text),
                    None if text.trim().is_empty() => {}
                    None => return None,
                }
                continue;
            }
            Event::CData(data) => {
                open.last_mut()?.text.push_str(&data.decode().ok()?);
                continue;
            }
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref().ok()? {
                    Some(character) => character,
                    None => predefined(&reference.decode().ok()?)?,
                };
                open.last_mut()?.text.push(character);
                continue;
            }
            Event::Comment(_) | Event::Decl(_) => continue,
            Event::Eof if open.is_empty() => return root,
            Event::Start(_) | Event::Empty(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => {
                return None;
            }
        };
        match open.last_mut() {
            Some(parent) => parent.add(ended.close()),
            None => root = Some(ended.children),
        }
    }
}

/// The five entities that XML has by itself.
fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Option<Value> {
        Tree::read(text.as_bytes()).map(|tree| Value::Object(tree.root))
    }

    #[test]
    fn xml_is_read_as_json_would_be() {
        let tree = read(
            "<?xml version=\"1.0\"?>\n<xml><Event><![CDATA[a<b]]></Event>\n <Env>0</Env>\
             <Info><Id>7</Id><Empty/></Info><T>1 &lt; &#50;</T><!-- x --></xml>\n",
        );
        let wanted =
            json!({"Event": "a<b", "Env": "0", "Info": {"Id": "7", "Empty": ""}, "T": "1 < 2"});
        assert_eq!(tree.unwrap(), wanted);
    }

    #[test]
    fn a_repeated_element_is_not_taken_for_the_only_one() {
        assert_eq!(
            read("<xml><A>1</A><A>2</A><A>3</A></xml>").unwrap(),
            json!({"A": ["1", "2", "3"]})
        );
    }

    #[test]
    fn dtd_entities_and_broken_xml_are_refused() {
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        for bad in [
            "<!DOCTYPE x [<!ENTITY e \"boom\">]><xml><A>1</A></xml>",
            "<!DOCTYPE x SYSTEM \"http://127.0.0.1/x\"><xml><A>1</A></xml>",
            "<xml><A>&e;</A></xml>",
            "<xml><?php x ?><A>1</A></xml>",
            "<xml><A>1</A>",
            "<xml><A>1</B></xml>",
            "<xml><A>1</A></xml><xml><A>2</A></xml>",
            "<xml><A>1</A></xml>tail",
            "<xml><A>&#0;</A></xml>",
            &deep,
            "<",
            "",
            "[1]",
            "null",
            "{\"a\":",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[<>/!?&;a\\[\\]\"'= \\-#x0-9CDAT]{0,80}") {
            let _ = Tree::read(text.as_bytes());
        }

        #[test]
        fn any_text_survives_cdata(text in "[^\u{0}-\u{1f}\\]]{0,40}") {
            let tree = read(&format!("<xml><A><![CDATA[{text}]]></A></xml>")).unwrap();
            prop_assert_eq!(tree, json!({ "A": text }));
        }
    }
}
