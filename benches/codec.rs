//! Cost of decode and encode.

fn main() {}
