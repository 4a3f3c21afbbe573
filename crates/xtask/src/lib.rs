//! Developer commands: `cargo xtask help`. A library as well, because the end-to-end tests assemble the same images
//! and start the same registry.

mod bench;
mod build;
mod conformance;
mod demo;
pub mod genesis;
mod go;
pub mod images;
mod mutants;
pub mod registry;
mod schema;
mod setup;
mod shell;
mod sweep;
mod test;
mod tidy;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Developer commands of Firstlight.")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Brings the genesis network up on this machine, shows that it agrees and grows, and takes it down.
    Demo(demo::Args),
    /// Installs what the tests need and runs them all, real containers included.
    Test(test::Args),
    /// Checks the shape of the code: edges between crates, file names, unsafe, what is left open.
    Tidy,
    /// Measures; every measurement ends with one line of JSON: its figures and the goals they are held against.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Tells which of Kubernetes' rules and upstream cases a test proves; ends with one line of JSON.
    Conformance(conformance::Args),
    /// Makes faults in the pure crates and counts those that a test sees; ends with one line of JSON.
    Mutants(mutants::Args),
    /// Kills and breaks things at random instants and counts violated invariants; ends with one line of JSON.
    #[command(subcommand)]
    Sweep(sweep::Sweep),
    /// Serves the examples' images from a real registry on loopback until interrupted.
    Registry,
    /// Generates the schema tables, OpenAPI documents and golden files from Kubernetes' published descriptions.
    Schema(schema::Args),
}

/// Runs the command line.
///
/// # Errors
/// Whatever the command could not do.
pub fn run() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Demo(args) => demo::run_demo(&args),
        Command::Test(args) => test::run(&args),
        Command::Tidy => tidy::run(),
        Command::Bench(bench) => bench::run_bench(&bench),
        Command::Conformance(args) => conformance::run(&args),
        Command::Mutants(args) => mutants::run_mutants(&args),
        Command::Sweep(sweep) => sweep::run_sweep(&sweep),
        Command::Registry => registry::run(),
        Command::Schema(args) => schema::run(&args),
    }
}
