use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::features::settings::model::{MessageField, Settings};

/// The places of everything in a section that is no object.
fn leaves(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    let Value::Object(members) = value else {
        found.insert(at.to_owned());
        return;
    };
    for (name, value) in members {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        leaves(value, &path, found);
    }
}

fn changed(section: Section, path: &str, value: &Value) -> bool {
    let change = path.rsplit('.').fold(value.clone(), |inner, name| json!({ name: inner }));
    let mut settings = Settings::default();
    // What is switched on must say something.
    settings.announcement.text = "x".to_owned();
    let field = MessageField { name: "thing1".to_owned(), value: "x".to_owned() };
    settings.messages.image_ready.fields = vec![field.clone()];
    settings.messages.membership_ends.fields = vec![field];
    settings.change(section, &change).is_ok()
}

#[test]
fn every_setting_is_described_and_nothing_else_is() {
    for &section in Section::ALL {
        let mut there = BTreeSet::new();
        leaves(&Settings::default().section(section), "", &mut there);
        let described: Vec<String> =
            describe(section).into_iter().map(|field| field.path).collect();
        let set: BTreeSet<String> = described.iter().cloned().collect();
        assert_eq!(set.len(), described.len(), "{section:?} says something twice");
        assert_eq!(set, there, "{section:?}");
    }
}

#[test]
fn every_bound_is_the_one_that_is_checked() {
    for &section in Section::ALL {
        for Field { path, kind, .. } in describe(section) {
            // It needs an address beside it.
            if section == Section::Alerts && path.ends_with(".enabled") {
                continue;
            }
            let takes = |value: Value| changed(section, &path, &value);
            match kind {
                FieldKind::Whole { min, max, is_optional } => {
                    assert!(takes(min.into()) && takes(max.into()), "{section:?} {path}");
                    let beyond = [min - 1, max + 1].map(|value| takes(value.into()));
                    assert_eq!(beyond, [false, false], "{section:?} {path}");
                    assert_eq!(takes(Value::Null), is_optional, "{section:?} {path}");
                }
                FieldKind::Wholes { min, max, most } => {
                    assert!(takes(json!([min])) && takes(json!([max])), "{section:?} {path}");
                    let beyond = [json!([min - 1]), json!([max + 1]), json!([])].map(takes);
                    assert_eq!(beyond, [false; 3], "{section:?} {path}");
                    let long = |len: usize| takes((1..=len).collect());
                    assert_eq!((long(most), long(most + 1)), (true, false), "{path}");
                }
                FieldKind::YesOrNo => assert!(takes(json!(true)) && !takes(json!("true"))),
                FieldKind::Text { min, max, is_optional } => {
                    let long = |len: usize| takes("字".repeat(len).into());
                    assert_eq!((long(max), long(max + 1)), (true, false), "{path}");
                    assert_eq!(long(0), min == 0, "{section:?} {path}");
                    assert_eq!(takes(Value::Null), is_optional, "{section:?} {path}");
                }
                FieldKind::Secret { max } => {
                    let long =
                        |len: usize| takes(format!("https://{}", "a".repeat(len - 8)).into());
                    assert_eq!((long(max), long(max + 1)), (true, false), "{path}");
                    assert!(takes("".into()) && !takes(Value::Null), "{section:?} {path}");
                }
                FieldKind::Time => {
                    assert!(takes(Value::Null) && takes("2026-01-29T12:00:00Z".into()));
                    assert!(!takes("tomorrow".into()), "{section:?} {path}");
                }
                FieldKind::Choice(choices) => {
                    let all = choices.iter().all(|choice| takes((*choice).into()));
                    assert!(all && !takes("something".into()), "{section:?} {path}");
                }
                FieldKind::Pairs { most } => {
                    let pairs = |len| {
                        let pair = json!({ "name": "thing1", "value": "x" });
                        takes(Value::Array(vec![pair; len]))
                    };
                    assert_eq!((pairs(most), pairs(most + 1)), (true, false), "{path}");
                }
            }
        }
    }
}
