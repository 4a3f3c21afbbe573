//! Developer commands.

mod schema;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", about = "Developer commands of Firstlight.")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generates the schema tables, OpenAPI documents and golden files from Kubernetes' published descriptions.
    Schema(schema::Args),
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Schema(args) => schema::run(&args),
    }
}
