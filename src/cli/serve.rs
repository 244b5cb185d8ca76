//! `serve`: runs the server.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::admin::setup_notice;
use super::{ServeArgs, logging, sandbox_mode, seed};
use crate::app::App;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::config::{Config, LogConfig};
use crate::features::admin::service::setup;
use crate::sandbox::Sandbox;
use crate::server::{self, shutdown};
use crate::{features, jobs};

/// Threads for work of unknown length, such as long reads. They end when idle.
const BLOCKING_THREADS: usize = 16;

/// The demo data of a sandbox.
const SANDBOX_SEED: seed::SeedOptions =
    seed::SeedOptions { users: 100, images: 500, templates: 36, seed: 42, balance: 100 };

pub(super) fn run(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    let config = if args.sandbox {
        sandbox_mode::settings(args.config)?
    } else {
        args.config.check_production()?;
        args.config
    };
    start_logs(&config.log)?;
    let runtime =
        Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
    if args.sandbox { run_sandbox(&runtime, config) } else { run_server(&runtime, config, None) }
}

fn start_logs(config: &LogConfig) -> Result<(), Box<dyn Error>> {
    Ok(logging::start(config)?)
}

fn run_sandbox(runtime: &Runtime, mut config: Config) -> Result<(), Box<dyn Error>> {
    let (clock, rng) = (Clock::system(), Rng::system());
    let simulators = sandbox_mode::simulators(&config);
    let sandbox = runtime.block_on(Sandbox::start(simulators, clock, rng))?;
    sandbox_mode::point_at(&mut config, &sandbox)?;
    let done = run_server(runtime, config, Some(&sandbox));
    runtime.block_on(sandbox.stop());
    done
}

fn run_server(
    runtime: &Runtime,
    config: Config,
    sandbox: Option<&Sandbox>,
) -> Result<(), Box<dyn Error>> {
    let is_fresh = !config.storage.database_path().exists();
    let app = App::open(&config, Clock::system(), Rng::system())?;
    if sandbox.is_some() && is_fresh {
        let media_base = format!("{}/media", config.http.public_url());
        seed::run(&app.db, &SANDBOX_SEED, &media_base)?;
    }
    features::prepare(&app)?;
    let served = runtime.block_on(serve(&app, &config, sandbox));
    // Every request was answered or cut by now: what is left is to make the file complete by itself.
    app.db.close();
    tracing::info!("stopped");
    Ok(served?)
}

#[expect(clippy::print_stdout, reason = "the banner is for the person who started it")]
async fn serve(app: &Arc<App>, config: &Config, sandbox: Option<&Sandbox>) -> io::Result<()> {
    let stop: CancellationToken = shutdown::on_signals()?;
    let wanted = config.listen();
    let listener = server::bind(wanted).map_err(|err| {
        io::Error::new(err.kind(), format!("{wanted} cannot be listened on: {err}"))
    })?;
    let address = listener.local_addr()?;
    let (board, mut tasks) = jobs::start(app, &features::periodic(), &stop);
    let mut engines = features::start(app, &stop);
    let endpoint = server::endpoint(app, board, config, sandbox.map(Sandbox::control_routes))?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    if sandbox.is_some() {
        let admin = Secret::new(sandbox_mode::ADMIN_PASSWORD.to_owned());
        let made = setup::ensure(app, sandbox_mode::ADMIN_NAME, &admin).await;
        made.map_err(io::Error::other)?;
        println!("{}", sandbox_mode::banner(&format!("http://{address}")));
    }
    if let Some(token) = setup::link(app).await.map_err(io::Error::other)? {
        println!("{}", setup_notice(&config.http.public_url(), &token));
    }
    server::serve(listener, Arc::new(endpoint), server::accept_settings(config), stop).await;
    // Tasks are short; one that hangs must not keep the process.
    let _ = tokio::time::timeout(Duration::from_secs(5), async {
        while tasks.join_next().await.is_some() {}
        while engines.join_next().await.is_some() {}
    })
    .await;
    features::finish(app).await;
    Ok(())
}
