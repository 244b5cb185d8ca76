//! The real binary.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use dream_bff::app::App;
use dream_bff::base::clock::Clock;
use dream_bff::base::rng::Rng;
use dream_bff::features;
use dream_bff::sandbox::{Sandbox, SandboxSettings};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::settings::Settings;
use super::{Answer, Wire, until};

/// The binary in `folder`, with nothing of this process's environment but the search path.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dream-bff"));
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Sends a signal by name: `TERM`, `INT`.
pub(crate) fn signal(process: &Process, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", "kill -\"$0\" \"$1\"", name, &process.child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// A running server. It is killed when this is dropped.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Process {
    /// Simulators for servers that run outside, at their fastest.
    pub(crate) async fn sandbox() -> Sandbox {
        let at_once = SandboxSettings {
            image_latency: std::time::Duration::ZERO,
            image_rate_per_minute: 0,
            image_concurrency: 0,
            push_url: Some("http://server.test/v1/wechat/push".to_owned()),
            ..SandboxSettings::default()
        };
        Sandbox::start(at_once, Clock::system(), Rng::seeded(1)).await.unwrap()
    }

    /// Starts `serve` in `folder` against `sandbox` and waits until it listens.
    pub(crate) async fn serve(folder: &Path, sandbox: &Sandbox, changes: &[(&str, &str)]) -> Self {
        let mut server = Self::serve_at_once(folder, sandbox, changes);
        server.listens().await;
        server
    }

    /// Starts `serve` in `folder` against `sandbox` and does not wait for anything.
    pub(crate) fn serve_at_once(
        folder: &Path,
        sandbox: &Sandbox,
        changes: &[(&str, &str)],
    ) -> Self {
        let mut command = command(folder);
        command.arg("serve").envs(settings(folder, sandbox, changes).0);
        Self::spawn(command)
    }

    /// What a server in `folder` is started with, by the names of the variables.
    pub(crate) fn environment(
        folder: &Path,
        sandbox: &Sandbox,
        changes: &[(&str, &str)],
    ) -> BTreeMap<String, String> {
        settings(folder, sandbox, changes).0
    }

    /// Starts `command` on a free port and waits until it listens.
    pub(crate) async fn listening(command: Command) -> Self {
        let mut started = Self::spawn(command);
        started.listens().await;
        started
    }

    /// The binary with the settings that [`Process::serve`] gives a server in `folder`.
    pub(crate) fn command_with(
        folder: &Path,
        sandbox: &Sandbox,
        changes: &[(&str, &str)],
    ) -> Command {
        let mut command = command(folder);
        command.envs(settings(folder, sandbox, changes).0);
        command
    }

    fn spawn(mut command: Command) -> Self {
        command.env("LISTEN", "127.0.0.1:0").env("LOG_FORMAT", "json");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Self { address: SocketAddr::from(([0, 0, 0, 0], 0)), child, stdout, stderr }
    }

    /// Waits until it listens; the address is known from then on.
    pub(crate) async fn listens(&mut self) {
        until("the server listens", || {
            let log = self.stderr.text();
            let exited = self.child.try_wait().unwrap();
            assert!(exited.is_none(), "the server ended ({exited:?}): {log}");
            match log.lines().find_map(listening_at) {
                Some(address) => self.address = address,
                None => return false,
            }
            true
        })
        .await;
    }

    /// What is inside a server in `folder`, opened in this process while no other runs on it: for
    /// what no request does. Nothing runs in the background.
    pub(crate) fn inside(folder: &Path, sandbox: &Sandbox) -> Arc<App> {
        let data = folder.join("data");
        let settings = settings(folder, sandbox, &[("DATA_DIR", data.to_str().unwrap())]);
        let app = App::open(&settings.config(), Clock::system(), Rng::system()).unwrap();
        features::prepare(&app).unwrap();
        app
    }

    /// What it wrote to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.stderr.text()
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> =
            bearer.iter().map(|value| ("authorization", value.as_str())).collect();
        Wire::ask(self.address, method, path, &headers, &body.to_string()).await
    }

    /// Logs in; gives the answer.
    pub(crate) async fn log_in(&self, name: &str) -> Value {
        let code = json!({ "code": format!("dev-{name}") });
        self.ask("POST", "/v1/auth/wechat-login", None, &code).await.ok()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Where it says that it listens in a line of this message, once it does.
    pub(crate) fn listens_elsewhere(&self, message: &str) -> Option<SocketAddr> {
        self.log().lines().find_map(|line| address_in(line, message))
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it ends.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

/// What a server is started with; an empty value is not set.
fn settings(folder: &Path, sandbox: &Sandbox, changes: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::of(sandbox);
    settings.set_payment(sandbox, folder);
    settings.set("RATE_LIMIT_PER_IP", "0");
    settings.set("RATE_LIMIT_LOGIN_PER_IP", "0");
    for (name, value) in changes {
        settings.set(name, value);
    }
    settings
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening_at(line: &str) -> Option<SocketAddr> {
    address_in(line, "listening")
}

fn address_in(line: &str, message: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line["message"] != message {
        return None;
    }
    line["address"].as_str()?.parse().ok()
}

/// What comes out of a pipe, read by a thread of its own so that the pipe never fills.
#[derive(Clone)]
struct Lines(Arc<Mutex<String>>);

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::default());
        let into = Arc::clone(&lines.0);
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut text = into.lock();
                text.push_str(&line);
                text.push('\n');
            }
        });
        lines
    }

    fn text(&self) -> String {
        self.0.lock().clone()
    }
}
