//! How the admin API's document groups its operations.

use poem_openapi::Tags;

/// The groups, in the order of the page.
#[derive(Tags)]
pub enum AdminTag {
    /// How today goes, and what needs somebody.
    Home,
    /// Logging in, the second factor, step-ups, sessions.
    Session,
    /// Administrators and their roles.
    Admins,
    /// Who changed what.
    Audit,
}
