//! What watches a host: rules for Prometheus, a dashboard for Grafana, monitors and a dashboard for Datadog.
//!
//! All of them speak of the metrics of one table (`subvault_model::metrics`) and of no other. When something is wrong is decided
//! once, in `alerts`; rules and monitors are two ways to write that down. Thresholds are those of the requirements, and
//! where the strategy promises more or less for a subvolume, its promise counts.

mod alert;
mod alerts;
mod datadog;
mod grafana;
mod json;
mod prometheus;

pub use self::datadog::render as datadog;
pub use self::grafana::render as grafana;
pub use self::prometheus::render as prometheus;

/// What each file says near its beginning, as long as no part of the program exports what it measures.
const NOT_YET: &str = "subvault does not export these metrics yet: load this when it does.";
