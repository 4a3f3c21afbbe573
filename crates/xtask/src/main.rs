//! Developer commands: `cargo xtask help`.

mod build;
mod go;
mod schema;
mod setup;
mod shell;
mod test;
mod tidy;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer commands of Firstlight.")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what the tests need and runs them all, real containers included.
    Test(test::Args),
    /// Checks the shape of the code: edges between crates, file names, unsafe, what is left open.
    Tidy,
    /// Generates the schema tables, OpenAPI documents and golden files from Kubernetes' published descriptions.
    Schema(schema::Args),
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Tidy => tidy::run(),
        Command::Schema(args) => schema::run(&args),
    }
}
