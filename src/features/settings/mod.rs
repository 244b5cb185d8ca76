//! What an operator tunes while the server runs: prices, quotas, limits of jobs, the AI label,
//! payment.
//!
//! Guarantees:
//! - There is always a complete, valid set of settings: what is not stored, or stored wrongly (by an
//!   older or newer program, or by hand), has its default.
//! - A change is checked as a whole section, stored, and holds for every request that starts after it
//!   was acknowledged. It says what was before and after, for the audit log.
//! - Sections are independent: one bad value never takes another section with it.
//!
//! What lies below the features and follows a setting (the rate limits) is told by the service whenever
//! settings come into force.
//!
//! Secrets and what the process needs to start are no settings; they are in the environment. The one
//! exception are the addresses of hooks that are told of alerts: they are stored and never shown again.

mod model;
pub mod service;
mod store;

pub use model::{
    AlertHook, Alerts, Announcement, AnnouncementLevel, ChannelRule, Channels, Checker, Economy,
    Entitlement, Entitlements, Field, FieldKind, Gallery, Invite, InviteEvent, Jobs, Label,
    Membership, MessageField, MessageState, MessageTemplate, Messages, Mode, Moderation,
    MonthlyPoints, PaymentRules, PlatformChannels, PriceTable, RateLimits, Resolution,
    ResolutionPrices, Retry, Section, Settings, SettingsChange, SettingsError, WhenUnavailable,
    describe, section_version,
};
