//! What is published, and what takes it off again.

use serde::{Deserialize, Serialize};

use super::{Checked, SettingsError, within};

/// The rules of the gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gallery {
    /// Whether every picture waits for a reviewer, whatever a check says.
    pub hold_for_review: bool,
    /// So many users who report a picture hide it until somebody decides; 0 never hides one.
    pub reports_to_hide: u32,
}

impl Default for Gallery {
    fn default() -> Self {
        Self { hold_for_review: false, reports_to_hide: 5 }
    }
}

impl Checked for Gallery {
    fn check(&self) -> Result<(), SettingsError> {
        within("reportsToHide", self.reports_to_hide, 0, 1000)
    }
}
