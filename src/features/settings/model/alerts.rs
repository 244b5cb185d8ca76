//! Whom the server tells when something is wrong, and from when on it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Checked, SettingsError, within};
use crate::base::bilingual::Language;

/// What is shown instead of an address or a secret. Sent back, it changes nothing.
pub(super) const MASK: &str = "***";

/// Members of a hook that are not shown again.
const HIDDEN: [&str; 2] = ["url", "secret"];

/// Bytes of an address, and of a secret.
pub(super) const URL_MAX: usize = 500;
pub(super) const SECRET_MAX: usize = 200;

/// Alerts: where they go, and their thresholds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alerts {
    /// A robot of a WeCom group: its webhook address.
    pub wecom: Hook,
    /// A robot of a Feishu group: its webhook address, and the secret if it checks signatures.
    pub feishu: Hook,
    /// Any address that takes JSON; with a secret the call is signed.
    pub webhook: Hook,
    /// What messages are written in.
    pub language: Language,
    /// An image API that is left alone for so long is told, in minutes.
    pub breaker_minutes: u32,
    /// So many of a hundred requests may fail with a 5xx within five minutes.
    pub error_percent: u32,
    /// Fewer failures than this are no alert, however few requests there were.
    pub error_min: u32,
    /// A problem that goes on is told again after so many hours.
    pub repeat_hours: u32,
    /// Messages in an hour, over all rules.
    pub max_per_hour: u32,
}

/// One place that messages go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    pub enabled: bool,
    pub url: Hidden,
    pub secret: Hidden,
}

/// A text that is stored and never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// The text, for whoever calls.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            wecom: Hook::default(),
            feishu: Hook::default(),
            webhook: Hook::default(),
            language: Language::default(),
            breaker_minutes: 5,
            error_percent: 5,
            error_min: 10,
            repeat_hours: 6,
            max_per_hour: 20,
        }
    }
}

impl Checked for Alerts {
    fn check(&self) -> Result<(), SettingsError> {
        for (name, hook) in
            [("wecom", &self.wecom), ("feishu", &self.feishu), ("webhook", &self.webhook)]
        {
            if hook.secret.expose().len() > SECRET_MAX {
                return Err(SettingsError::invalid(&format!("{name}.secret"), "is too long"));
            }
            let field = format!("{name}.url");
            let url = hook.url.expose();
            if hook.enabled && url.is_empty() {
                return Err(SettingsError::invalid(&field, "is missing"));
            }
            if url.len() > URL_MAX || !(url.is_empty() || is_allowed(url)) {
                let problem = "must begin with https:// (or http:// on this machine)";
                return Err(SettingsError::invalid(&field, problem));
            }
        }
        within("breakerMinutes", self.breaker_minutes, 1, 1440)?;
        within("errorPercent", self.error_percent, 1, 100)?;
        within("errorMin", self.error_min, 1, 100_000)?;
        within("repeatHours", self.repeat_hours, 1, 168)?;
        within("maxPerHour", self.max_per_hour, 1, 1000)
    }
}

/// Plain http stays on this machine: the address is a key.
fn is_allowed(url: &str) -> bool {
    let rest =
        url.strip_prefix("http://").map(|rest| rest.split(['/', '?']).next().unwrap_or(rest));
    let is_local = rest.is_some_and(|authority| {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        ["127.0.0.1", "localhost", "[::1]"].contains(&host)
    });
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains('@');
    is_plain && (is_local || url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()))
}

/// The section with its secrets covered.
pub(super) fn covered(mut section: Value) -> Value {
    each_hidden(&mut section, |value| {
        if value != "" {
            *value = MASK.into();
        }
    });
    section
}

/// A change without what is only the cover of what is there.
pub(super) fn uncovered(change: &Value) -> Value {
    let mut change = change.clone();
    for hook in change.as_object_mut().into_iter().flat_map(|change| change.values_mut()) {
        if let Some(members) = hook.as_object_mut() {
            members.retain(|name, value| !(HIDDEN.contains(&name.as_str()) && value == MASK));
        }
    }
    change
}

fn each_hidden(section: &mut Value, mut change: impl FnMut(&mut Value)) {
    let hooks = section.as_object_mut().into_iter().flat_map(|section| section.values_mut());
    for hook in hooks.filter_map(Value::as_object_mut) {
        for name in HIDDEN {
            if let Some(value) = hook.get_mut(name) {
                change(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Section, Settings};
    use super::*;

    #[test]
    fn an_address_is_kept_and_not_shown() {
        let mut settings = Settings::default();
        let url = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=very-secret";
        let hook = json!({ "wecom": { "enabled": true, "url": url } });
        let done = settings.change(Section::Alerts, &hook).unwrap();
        let shown = [
            format!("{done:?}"),
            format!("{settings:?}"),
            settings.section(Section::Alerts).to_string(),
        ];
        for text in shown {
            assert!(!text.contains("very-secret"), "{text}");
        }
        assert_eq!(settings.section(Section::Alerts)["wecom"]["url"], MASK);
        assert_eq!(settings.section(Section::Alerts)["feishu"]["url"], "");
        // What was shown comes back with another change.
        let mut back = settings.section(Section::Alerts);
        back["errorPercent"] = json!(7);
        settings.change(Section::Alerts, &back).unwrap();
        assert_eq!(settings.alerts.wecom.url.expose(), url);
        assert_eq!(settings.alerts.error_percent, 7);
        assert!(settings.stored(Section::Alerts).to_string().contains("very-secret"));
        let mut loaded = Settings::default();
        loaded.load(Section::Alerts, &settings.stored(Section::Alerts)).unwrap();
        assert_eq!(loaded, settings);
    }

    #[test]
    fn only_addresses_that_keep_a_secret_are_taken() {
        for good in ["https://a.example/x?key=1", "http://127.0.0.1:9000/hook", "http://localhost/"]
        {
            assert!(is_allowed(good), "{good}");
        }
        for bad in [
            "http://a.example/",
            "http://127.0.0.1.evil.example/",
            "https://",
            "ftp://a/",
            "http://127.0.0.1@evil.example/",
            "https://a.example/ b",
            "file:///etc/passwd",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
