//! The physical yardsticks.

fn main() {}
