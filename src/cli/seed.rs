use crate::db::Db;
#[derive(clap::Args, Clone, Debug)]
pub struct SeedOptions {
    #[arg(long, default_value_t = 1)]
    pub users: u32,
    #[arg(long, default_value_t = 1)]
    pub images: u32,
    #[arg(long, default_value_t = 1)]
    pub templates: u32,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[arg(long, default_value_t = 1)]
    pub balance: u32,
}
pub fn run(_: &Db, _: &SeedOptions, _: &str) -> Result<String, std::io::Error> {
    Ok(String::new())
}
