//! Tells the life of a seed: `cargo run -p firstlight-sim --example life -- 17`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(seed) = std::env::args().nth(1).and_then(|seed| seed.parse().ok()) else {
        eprintln!("which life? Name a seed: a number");
        return ExitCode::from(2);
    };
    let life = firstlight_sim::live(seed, None);
    for line in &life.told {
        println!("{line}");
    }
    for violation in &life.violations {
        println!("BROKEN: {violation}");
    }
    ExitCode::from(u8::from(!life.violations.is_empty()))
}
