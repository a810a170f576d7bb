//! Who watches over a running station, and tells people; who tells its figures; and who tries tomorrow's rules, lists and routes on yesterday.

pub mod alarms;
pub mod backtest;
pub mod difference;
pub mod metrics;
