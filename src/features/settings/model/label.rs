//! How results are marked as made by AI (GB 45438-2025).

use serde::{Deserialize, Serialize};

use super::{Checked, SettingsError, within};

/// The marks on stored results. The metadata is always there; the visible mark can be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Label {
    /// Whether there is a mark in the corner of the picture.
    pub visible: bool,
    /// What the mark says.
    pub text: String,
    /// Who made the picture, as the metadata names it.
    pub producer: String,
}

impl Default for Label {
    fn default() -> Self {
        Self { visible: true, text: "AI生成".to_owned(), producer: "dream-bff".to_owned() }
    }
}

impl Checked for Label {
    fn check(&self) -> Result<(), SettingsError> {
        for (field, text, max) in [("text", &self.text, 16), ("producer", &self.producer, 64)] {
            within(&format!("{field} length"), text.chars().count(), 1, max).map_err(|_| {
                SettingsError::invalid(field, format!("must have 1 to {max} characters"))
            })?;
            if text.chars().any(char::is_control) || text.trim() != text {
                return Err(SettingsError::invalid(
                    field,
                    "has control characters or outer spaces",
                ));
            }
        }
        Ok(())
    }
}
