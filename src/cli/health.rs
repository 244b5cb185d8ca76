//! `health`: asks the running server on this machine whether it is ready, for install.sh and for
//! containers, which have no curl.

use std::error::Error;

use crate::clients::own_server::OwnServer;
use crate::config::Config;

#[expect(clippy::print_stdout, reason = "this is the output")]
pub(super) fn run(config: &Config) -> Result<(), Box<dyn Error>> {
    println!("{}", own_server(config).readiness()?);
    Ok(())
}

fn own_server(config: &Config) -> OwnServer {
    let (listen, beside) = (config.listen(), config.tls.http_listen);
    OwnServer::new(listen, beside, config.is_tls_on(), config.public_host().as_deref())
}
