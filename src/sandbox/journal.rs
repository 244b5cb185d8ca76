//! The last requests a simulator got, so that a test or a person can see what was sent to it.
//!
//! Bounded in entries and in bytes. It holds what came over the wire, credentials included:
//! its `Debug` shows none of it.

use std::collections::VecDeque;
use std::fmt;

use parking_lot::Mutex;
use poem::http::{HeaderMap, Method};
use serde_json::Value;

use crate::base::time::UnixMillis;

const MAX_ENTRIES: usize = 1000;
const MAX_BODY: usize = 64 * 1024;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// One request as it came in.
#[derive(Clone)]
pub struct Recorded {
    /// Number of the request, from 1.
    pub seq: u64,
    /// When it came, by the sandbox's clock.
    pub at: UnixMillis,
    /// `GET`, `POST`, …
    pub method: Method,
    /// Path with query, as sent.
    pub target: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The first 64 KB of the body.
    pub body: Vec<u8>,
    /// Length of the whole body in bytes.
    pub body_len: usize,
    /// What was answered; `None` until then, and for good when the connection was dropped.
    pub status: Option<u16>,
}

impl Recorded {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first header of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, method, body_len, status, .. } = self;
        write!(f, "#{seq} {method} {} ({body_len} bytes) -> {status:?}", self.path())
    }
}

/// The last requests, oldest first.
#[derive(Debug, Default)]
pub struct Journal(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    list: VecDeque<Recorded>,
    bytes: usize,
    last_seq: u64,
}

impl Journal {
    /// The requests, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.0.lock().list.iter().cloned().collect()
    }

    /// The requests to one path (without the query), oldest first.
    pub fn requests_to(&self, path: &str) -> Vec<Recorded> {
        self.0.lock().list.iter().filter(|entry| entry.path() == path).cloned().collect()
    }

    /// The newest `count` requests, newest first.
    pub fn newest(&self, count: usize) -> Vec<Recorded> {
        self.0.lock().list.iter().rev().take(count).cloned().collect()
    }

    /// Forgets all requests.
    pub fn clear(&self) {
        let mut entries = self.0.lock();
        entries.list.clear();
        entries.bytes = 0;
    }

    pub(super) fn record(
        &self,
        at: UnixMillis,
        method: &Method,
        target: String,
        headers: &HeaderMap,
        body: &[u8],
    ) -> u64 {
        let mut entries = self.0.lock();
        entries.last_seq += 1;
        let seq = entries.last_seq;
        let kept = body[..body.len().min(MAX_BODY)].to_vec();
        entries.bytes += kept.len();
        entries.list.push_back(Recorded {
            seq,
            at,
            method: method.clone(),
            target,
            headers: headers.clone(),
            body: kept,
            body_len: body.len(),
            status: None,
        });
        while entries.list.len() > MAX_ENTRIES || entries.bytes > MAX_BYTES {
            let Some(oldest) = entries.list.pop_front() else { break };
            entries.bytes -= oldest.body.len();
        }
        seq
    }

    pub(super) fn answered(&self, seq: u64, status: u16) {
        let mut entries = self.0.lock();
        if let Some(entry) = entries.list.iter_mut().rev().find(|entry| entry.seq == seq) {
            entry.status = Some(status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_bytes_are_bounded_and_debug_is_silent() {
        let journal = Journal::default();
        let headers = HeaderMap::from_iter([(
            poem::http::header::AUTHORIZATION,
            poem::http::HeaderValue::from_static("Bearer hunter2"),
        )]);
        for _ in 0..2 * MAX_ENTRIES {
            journal.record(UnixMillis(0), &Method::GET, "/a?secret=x".into(), &headers, b"");
        }
        assert_eq!(journal.requests().len(), MAX_ENTRIES);
        assert_eq!(journal.newest(1)[0].seq, 2000);
        let body = vec![b'x'; 2 * MAX_BODY];
        for _ in 0..200 {
            journal.record(UnixMillis(0), &Method::POST, "/b".into(), &headers, &body);
        }
        let held: usize = journal.requests().iter().map(|entry| entry.body.len()).sum();
        assert!(held <= MAX_BYTES);
        assert_eq!(journal.newest(1)[0].body_len, body.len());
        let shown = format!("{journal:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("secret=x"), "{shown}");
    }
}
