//! How the API document groups its operations.

use poem_openapi::Tags;

/// The groups of the API document, in its order.
#[derive(Tags)]
pub enum Tag {
    /// Logging in, tokens, logging out.
    Auth,
    /// The caller's own account.
    Users,
    /// Points: balance, bookings, packs, check-in, codes.
    Points,
    /// Membership: plans, what buying one gives, what one has.
    Vip,
    /// Buying memberships and points.
    Orders,
    /// Image jobs: submitting, following, cancelling.
    Jobs,
    /// Uploading pictures.
    Media,
    /// Published pictures: lists, search, likes, reports.
    Gallery,
    /// What users keep.
    Favorites,
    /// The pass-through to the image API.
    Proxy,
    /// What WeChat calls.
    Wechat,
}
