//! What the implicit label says (GB 45438-2025, annexes E and F).

use serde::Serialize;

/// Characters a value may have; longer ones are cut.
const MAX_VALUE: usize = 128;

/// The content of the `AIGC` field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Aigc {
    /// 1: is generated (2: may be, 3: is suspected to be).
    label: &'static str,
    content_producer: String,
    #[serde(rename = "ProduceID")]
    produce_id: String,
    reserved_code1: &'static str,
    content_propagator: String,
    #[serde(rename = "PropagateID")]
    propagate_id: String,
    reserved_code2: &'static str,
}

impl Aigc {
    /// A generated picture of this producer, who also spreads it. `id` finds it again.
    pub(in super::super) fn generated(producer: &str, id: &str) -> Self {
        let (producer, id) = (plain(producer), plain(id));
        Self {
            label: "1",
            content_producer: producer.clone(),
            produce_id: id.clone(),
            reserved_code1: "",
            content_propagator: producer,
            propagate_id: id,
            reserved_code2: "",
        }
    }

    /// As it stands in the file.
    pub(super) fn json(&self) -> String {
        // A struct of texts always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Printable ASCII without `"` and `\`, as the standard wants values.
fn plain(text: &str) -> String {
    let is_plain = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    text.chars().filter(is_plain).take(MAX_VALUE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_what_the_standard_shows() {
        let json = Aigc::generated("Dream\"\\ 梦 Ltd", "job_1-0").json();
        assert_eq!(
            json,
            r#"{"Label":"1","ContentProducer":"Dream  Ltd","ProduceID":"job_1-0","ReservedCode1":"","ContentPropagator":"Dream  Ltd","PropagateID":"job_1-0","ReservedCode2":""}"#
        );
    }
}
