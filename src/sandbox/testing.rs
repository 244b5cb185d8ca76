//! What the tests of the simulators have: a plain HTTP client, and a server that gets what they send.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use poem::http::StatusCode;
use serde_json::Value;

use super::journal::{Journal, Recorded};
use super::listener::{self, Call, Reply, Simulator};
use super::plan::Faults;
use super::tasks::Tasks;
use crate::base::clock::Clock;

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The body; `Null` when it is no JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The client. Every call has a connection of its own.
#[derive(Debug)]
pub(super) struct Wire(ureq::Agent);

impl Default for Wire {
    fn default() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_idle_connections(0)
            .timeout_global(Some(std::time::Duration::from_secs(20)))
            .build();
        Self(config.new_agent())
    }
}

impl Wire {
    pub(super) async fn get(
        &self,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, ureq::Error> {
        self.call("GET", url, headers, b"").await
    }

    pub(super) async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        self.call("POST", url, headers, body).await
    }

    pub(super) async fn call(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let mut request = poem::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (agent, body) = (self.0.clone(), body.to_vec());
        let call = move || {
            let mut answer = if body.is_empty() {
                agent.run(request.body(()).unwrap())?
            } else {
                agent.run(request.body(body).unwrap())?
            };
            let headers = answer.headers().iter();
            let headers = headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect();
            let status = answer.status().as_u16();
            let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec()?;
            Ok(Answer { status, headers, body })
        };
        tokio::task::spawn_blocking(call).await.unwrap()
    }
}

/// A server under test, as far as the simulators see it: it writes down what it gets, and answers
/// what it was told to, else 204 without a body.
#[derive(Debug)]
pub(super) struct Inbox {
    address: SocketAddr,
    journal: Journal,
    answers: Mutex<VecDeque<(u16, String)>>,
    tasks: Tasks,
}

impl Inbox {
    pub(super) async fn start() -> Arc<Self> {
        let (listener, address) = listener::bind(IpAddr::V4(Ipv4Addr::LOCALHOST)).await.unwrap();
        let tasks = Tasks::default();
        let inbox = Arc::new(Self {
            address,
            journal: Journal::default(),
            answers: Mutex::default(),
            tasks: tasks.clone(),
        });
        listener::serve(listener, Arc::clone(&inbox), Clock::system(), &tasks);
        inbox
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next request with this.
    pub(super) fn answer_next(&self, status: u16, body: &str) {
        self.answers.lock().push_back((status, body.to_owned()));
    }

    /// What came, oldest first.
    pub(super) fn got(&self) -> Vec<Recorded> {
        self.journal.requests()
    }

    /// Ends it.
    pub(super) fn stop(&self) {
        self.tasks.stop();
    }
}

impl Simulator for Inbox {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn faults(&self, _call: &Call) -> Option<&Faults> {
        None
    }

    fn error(&self, _call: &Call, _code: i64) -> Reply {
        Reply::empty(StatusCode::INTERNAL_SERVER_ERROR)
    }

    async fn answer(&self, call: &Call) -> Reply {
        let told = self.answers.lock().pop_front();
        let echo = call.query("echostr");
        let (status, body) = told.unwrap_or_else(|| match echo {
            "" => (204, String::new()),
            echo => (200, echo.to_owned()),
        });
        let mut reply = Reply::empty(StatusCode::from_u16(status).unwrap());
        reply.body = body.into_bytes();
        reply
    }
}
