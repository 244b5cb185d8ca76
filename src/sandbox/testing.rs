//! A plain HTTP client for the tests of the simulators.

use serde_json::Value;

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
