//! Orders on the operator's socket that others than the station answer: what watches over it.

use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use std::sync::OnceLock;

/// Answers orders that the station itself does not.
pub trait Desk: Send + Sync + 'static {
    /// What is answered to a line, which may take a while; `None` if it is no order of this desk.
    fn answer(&self, line: &str) -> Option<BoxFuture<'static, Value>>;
}

/// The place of a desk, which is taken once.
pub type DeskPlace = Arc<OnceLock<Arc<dyn Desk>>>;
