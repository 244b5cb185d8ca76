//! How the admin API's document groups its operations.

use poem_openapi::Tags;

/// The groups, in the order of the page.
#[derive(Tags)]
pub enum AdminTag {
    /// How today goes, and what needs somebody.
    Home,
    /// Finding anything, and what happened to it.
    Find,
    /// Logging in, the second factor, step-ups, sessions.
    Session,
    /// Administrators and their roles.
    Admins,
    /// Users, and what is done about them.
    Users,
    /// Orders, refunds, what WeChat told, reconciliation and what was earned.
    Orders,
    /// Image jobs, and the image APIs that make them.
    Jobs,
    /// What is tuned while the server runs, and what is sold.
    Settings,
    /// Reviews, words, templates, categories, the announcement.
    Content,
    /// Redeem codes.
    Codes,
    /// Whether the books balance.
    Books,
    /// Who changed what.
    Audit,
    /// The process, its tasks and its log; backups, doctor, alerts and rate limits.
    System,
}
