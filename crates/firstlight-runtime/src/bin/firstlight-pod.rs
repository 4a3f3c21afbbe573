//! A pod's shim as a program of its own, for programs that embed the engine and cannot call
//! [`firstlight_runtime::reexec`] first thing in their `main`: name it in `Config::shim`.

use std::process::ExitCode;

fn main() -> ExitCode {
    firstlight_runtime::reexec().unwrap_or_else(|| {
        eprintln!("this program is started by the Firstlight engine, one for each pod; there is nothing to do by hand");
        ExitCode::FAILURE
    })
}
