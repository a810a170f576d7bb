//! Alarms: what a person should look at. Each is raised once however often it is seen, told again while nobody
//! acknowledges it, and cleared when it is over.
//!
//! [`Board`] and [`Watchman`] are pure: they take what was seen, and when. [`AlarmThread`] is the shell: it hears the
//! flows, looks at the station every second, and tells the log, a webhook, and whoever asks at the operator's socket.

mod board;
mod detect;
mod ears;
mod kind;
mod orders;
mod outgoing;
mod post;
mod run;
mod watchman;
mod window;

pub use board::{
    AcknowledgeFault, Acknowledgement, Alarm, AlarmEvent, Board, CLEARED_KEPT, Change, EVENTS_KEPT, Events, LIVE_MOST,
    Moment, State,
};
pub use detect::{Clocks, Lasting, Queue, Share};
pub use kind::{AlarmKind, Severity};
pub use orders::{AlarmOrder, LONG_POLL};
pub use outgoing::{Outgoing, WAITING_MOST};
pub use post::HookFault;
pub use run::{AlarmCounts, AlarmPlan, AlarmThread};
pub use watchman::{Counted, Noted, Sample, Watchman};
pub use window::Minute;
