//! Image jobs: submitted, paid for, queued, made by an image API, delivered or given back.
//!
//! `QUEUED → RUNNING (⇄ RETRYING) → SUCCEEDED | FAILED | CANCELED`; from `FAILED` to `SUCCEEDED` only
//! when the picture comes within the grace after the deadline. `docs/jobs.md` tells the whole life.
//!
//! Invariants:
//! - A job and its price are one transaction; so are the end of a job without a picture and the
//!   return of its price, free quota to the day of submission. Neither happens twice: each change of
//!   status is guarded by the status before.
//! - An accepted job ends. Its deadline ends it wherever it is; a start takes up what a crash left.
//! - The job's id goes to the image API as `Idempotency-Key`: a repeat there is the same job.
//! - What becomes of a job depends on the image API, never on the client's connection.
//! - What waits, runs, is watched or streamed is bounded; counts live in memory and are rebuilt at
//!   the start, so that accepting a job costs the same however many wait.

mod api;
mod model;
pub mod service;
mod store;

pub use api::GenerationsApi;
pub use model::{
    Attempt, Booking, DeliveredPicture, Delivery, FailureCount, GenerationError, JobFilter, JobId,
    JobRecord, Phase, PictureKeys, Pictures, Quota, Receipt, Status, Tariff,
};
