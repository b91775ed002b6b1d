//! What an archive costs, and which retention fits a budget.
//!
//! ```text
//! prices/*.toml ─► table ─► price ─┐ (overrides: what the configuration changes)
//! archive ─► holdings ─► daily ────┴─► bill ─► forecast ─► crossings of a budget
//!            (streams)   (counts)          └─► usual ─► compare, propose
//! ```
//! Pure and deterministic: the price tables are part of the program, the day is handed in, amounts are whole billionths of
//! a dollar. Prices are dated and may have changed since; whoever shows them shows the date as well. Nothing here knows
//! what an invoice really said, and nothing is decided that deletes anything: what is proposed is for a person to set.

pub mod bill;
pub mod budget;
pub mod compare;
mod daily;
pub mod forecast;
mod generation;
pub mod holdings;
pub mod money;
mod objects;
pub mod overrides;
pub mod price;
pub mod propose;
pub mod restore_cost;
mod restore_lines;
pub mod table;
pub mod tariff;
pub mod usage;
pub mod usual;

pub use daily::daily;
pub use restore_lines::COPY_DAYS;
