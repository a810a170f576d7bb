//! Who watches over a running station, and tells people.

pub mod alarms;
