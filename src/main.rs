//! The `tollgate` binary: arguments to command.

use std::process::ExitCode;

fn main() -> ExitCode {
    tollgate::cli::main()
}
