//! The vocabulary of handlers: errors, request bodies, ready answers, lists, who is asking.
//!
//! Knows nothing of features; `server` puts these things on the wire.

pub mod client_ip;
pub mod context;
pub mod error;
pub mod error_code;
pub mod file_body;
pub mod json_body;
pub mod json_bytes;
pub mod message;
pub mod page;
pub mod raw_json;
pub mod tag;

mod causes;
mod rate_limit;
mod schema_check;

pub use client_ip::TrustedProxies;
pub use context::{Ctx, Language, RequestContext};
pub use error::{ApiError, ErrorBody};
pub use error_code::ErrorCode;
pub use file_body::file_body;
pub use json_body::JsonBody;
pub use json_bytes::JsonBytes;
pub use message::MessageResponse;
pub use page::{Found, MOST_LOOKED_AT, Page, PageQuery, Span};
pub use raw_json::RawJson;
pub use tag::Tag;
