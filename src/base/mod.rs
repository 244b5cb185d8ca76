//! What everything stands on: time, randomness, ids, money, secrets, languages. Imports nothing of ours.

pub mod bilingual;
pub mod clock;
pub mod content_version;
pub mod cpu_pool;
pub mod error_chain;
pub mod ids;
pub mod log_ring;
pub mod low_priority;
pub mod machine;
pub mod measure;
pub mod request;
pub mod rng;
pub mod secret;
pub mod time;
