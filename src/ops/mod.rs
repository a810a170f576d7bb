//! Who watches over a running station, and tells people; and who tries tomorrow's rules, lists and routes on yesterday.

pub mod alarms;
pub mod backtest;
pub mod difference;
