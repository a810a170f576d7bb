//! Who watches over a running station, and tells people; and who tries tomorrow's rules on yesterday.

pub mod alarms;
pub mod backtest;
