//! The server in this process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dream_bff::app::App;
use dream_bff::base::clock::{Clock, TestClock};
use dream_bff::base::rng::Rng;
use dream_bff::base::time::UnixMillis;
use dream_bff::config::Config;
use dream_bff::sandbox::{Sandbox, SandboxSettings};
use dream_bff::{features, jobs, server};
use parking_lot::{Mutex, RwLock};
use poem::EndpointExt as _;
use poem::http::Method;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::call::{Call, Server};
use super::settings::Settings;
use super::{Admin, Answer, User};

/// When tests begin: 2026-01-29T12:00:00Z.
const START: UnixMillis = UnixMillis(1_769_688_000_000);

/// The whole server with a folder, a clock and simulators of its own.
pub(crate) struct TestApp {
    /// Moves by hand; the simulators go by it too.
    pub(crate) clock: TestClock,
    /// WeChat, WeChat Pay and the image API.
    pub(crate) sandbox: Sandbox,
    app: Mutex<Arc<App>>,
    work: Mutex<Work>,
    server: Server,
    settings: Mutex<Settings>,
    folder: TempDir,
}

impl TestApp {
    /// With the settings of production, the simulators at their fastest.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with some settings changed, named as in `.env`; an empty value is not set.
    pub(crate) async fn with(changes: &[(&str, &str)]) -> Self {
        let clock = TestClock::at(START);
        let at_once = SandboxSettings {
            image_latency: Duration::ZERO,
            image_rate_per_minute: 0,
            image_concurrency: 0,
            push_url: Some("http://server.test/v1/wechat/push".to_owned()),
            deliver: false,
            ..SandboxSettings::default()
        };
        let sandbox =
            Sandbox::start(at_once, Clock::test(clock.clone()), Rng::seeded(1)).await.unwrap();
        let folder = TempDir::new().unwrap();
        let mut settings = Settings::of(&sandbox);
        settings.set("DATA_DIR", folder.path().to_str().unwrap());
        settings.set_payment(&sandbox, folder.path());
        // Whether the machine's disk is full is no matter of these tests.
        settings.set("MIN_FREE_DISK_MIB", "0");
        for (name, value) in changes {
            settings.set(name, value);
        }
        let (app, server, work) = open(&settings, &clock, 2);
        Self {
            clock,
            sandbox,
            app: Mutex::new(app),
            work: Mutex::new(work),
            server: Arc::new(RwLock::new(server)),
            settings: Mutex::new(settings),
            folder,
        }
    }

    /// Stops the server and starts it again on the same files.
    pub(crate) fn restart(&self) {
        self.restart_with(&[]);
    }

    /// The same with some settings changed.
    pub(crate) fn restart_with(&self, changes: &[(&str, &str)]) {
        let mut settings = self.settings.lock();
        for (name, value) in changes {
            settings.set(name, value);
        }
        let mut app = self.app.lock();
        // Cut off wherever it is, as by a crash.
        self.work.lock().1.abort_all();
        app.db.close();
        // Another seed: a real server does not draw the same ids again either.
        let seed = u64::from_le_bytes(app.rng.bytes());
        let (new, server, work) = open(&settings, &self.clock, seed);
        *self.work.lock() = work;
        *self.server.write() = server;
        *app = new;
    }

    /// What it is set to.
    pub(crate) fn config(&self) -> Config {
        self.settings.lock().config()
    }

    /// What is inside, for what no request shows.
    pub(crate) fn app(&self) -> Arc<App> {
        Arc::clone(&self.app.lock())
    }

    /// Runs every periodic task once.
    pub(crate) async fn run_periodic_tasks(&self) {
        for task in features::periodic() {
            let done = (task.run)(self.app()).await;
            done.unwrap_or_else(|err| panic!("{} failed: {err}", task.name));
        }
    }

    /// Sends the payment notifications and message pushes that are due, over a real socket, and waits
    /// for the answers.
    pub(crate) async fn deliver_notifications(&self) {
        let listening = self.listen();
        self.sandbox.deliver_to(Some(listening.address));
        self.sandbox.deliver_due().await;
        self.sandbox.deliver_to(None);
    }

    /// A `GET` by nobody in particular.
    pub(crate) fn get(&self, uri: &str) -> Call {
        self.call(Method::GET, uri)
    }

    /// A `POST` by nobody in particular.
    pub(crate) fn post(&self, uri: &str) -> Call {
        self.call(Method::POST, uri)
    }

    /// A request by nobody in particular.
    pub(crate) fn call(&self, method: Method, uri: &str) -> Call {
        Call::new(&self.server, method, uri)
    }

    /// Tries to log in with this code.
    pub(crate) async fn log_in_with_code(&self, code: &str) -> Answer {
        self.post("/v1/auth/wechat-login").json(&json!({ "code": code })).await
    }

    /// Logs in; the first time makes the user.
    pub(crate) async fn log_in(&self, name: &str) -> User {
        let answer = self.log_in_with_code(&format!("dev-{name}")).await;
        User::new(&self.server, &answer.ok())
    }

    /// A new administrator of this role (`owner`, `operator`, `content`, `viewer`), logged in.
    pub(crate) fn admin(&self, role: &str) -> Admin {
        Admin::new(self, &self.server, role)
    }

    /// The database file, opened beside the server.
    pub(crate) fn database(&self) -> Connection {
        let connection = Connection::open(self.folder.path().join("dream.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection
    }

    /// Changes the database beside the server, which does not know of it.
    #[track_caller]
    pub(crate) fn sql(&self, statement: &str) {
        assert!(self.database().execute(statement, []).unwrap() > 0, "nothing changed");
    }

    /// A number from the database.
    pub(crate) fn count(&self, query: &str) -> i64 {
        self.database().query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// Everything the database has written to disk: the file and its journal.
    pub(crate) fn database_bytes(&self) -> Vec<u8> {
        let names = ["dream.db", "dream.db-wal"].map(|name| self.folder.path().join(name));
        let present = names.into_iter().filter(|path: &PathBuf| path.exists());
        present.flat_map(|path| std::fs::read(path).unwrap()).collect()
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Serves on a real socket too, for what only sockets show.
    pub(crate) fn listen(&self) -> Listening {
        let listener = server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let settings = server::accept_settings(&self.settings.lock().config(), &self.app());
        let endpoint = Arc::clone(&self.server.read());
        tokio::spawn(server::serve(listener, endpoint, settings, stop.clone()));
        Listening { address, _stop: stop.drop_guard() }
    }
}

/// A socket that is served until this is dropped.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    _stop: DropGuard,
}

type Endpoint = Arc<poem::endpoint::BoxEndpoint<'static, poem::Response>>;

/// What runs in the background, until this is dropped.
type Work = (DropGuard, JoinSet<()>);

fn open(settings: &Settings, clock: &TestClock, seed: u64) -> (Arc<App>, Endpoint, Work) {
    let config = settings.config();
    config.check_production().unwrap();
    let app = App::open(&config, Clock::test(clock.clone()), Rng::seeded(seed)).unwrap();
    features::prepare(&app).unwrap();
    // Periodic tasks run when a test says so.
    let (board, _) = jobs::start(&app, &[], &CancellationToken::new());
    let endpoint = server::endpoint(&app, board, &config, None).unwrap();
    let stop = CancellationToken::new();
    let work = features::start(&app, &stop);
    (app, Arc::new(endpoint.boxed()), (stop.drop_guard(), work))
}
