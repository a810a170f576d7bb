//! The `tollgate` binary: arguments to command.

fn main() {}
