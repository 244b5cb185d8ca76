//! An answer of the server, and what tests say about it.

use poem::http::HeaderMap;
use serde_json::Value;

/// Status, headers and the whole body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|err| panic!("no JSON ({err}): {} {}", self.status, self.text()))
    }

    /// A good answer's JSON.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// An error answer of this status and code, of the one shape that errors have. Gives its JSON.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, code: &str) -> Value {
        let body = self.json();
        assert_eq!((self.status, body["error"].as_str()), (status, Some(code)), "{body}");
        assert!(!body["message"].as_str().unwrap().is_empty(), "{body}");
        assert!(body["path"].as_str().unwrap().starts_with('/'), "{body}");
        assert!(body["timestamp"].as_str().unwrap().ends_with('Z'), "{body}");
        assert_eq!(body["requestId"].as_str(), self.header("x-request-id"), "{body}");
        body
    }

    /// `400 INVALID_REQUEST` about this field.
    #[track_caller]
    pub(crate) fn blames(&self, field: &str) {
        let body = self.fails(400, "INVALID_REQUEST");
        assert_eq!(body["details"]["field"].as_str(), Some(field), "{body}");
        assert!(body["message"].as_str().unwrap().contains(field), "{body}");
    }
}
