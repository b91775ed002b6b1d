//! Decisions, tested three ways: tables written by hand, a simulated world that is archived, damaged and restored at
//! random, and golden files of what people and programs read.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on shall fail")]

mod apply_table;
mod bring_back_table;
mod calendar_oracle;
mod cost_golden;
mod cost_host;
mod cost_oracle;
mod cost_properties;
mod cost_table;
mod fixtures;
mod forget_properties;
mod forget_table;
mod gc_properties;
mod gc_table;
mod golden;
mod io_bench_table;
mod keep_oracle;
mod mutations;
mod objectives_table;
mod parent_table;
mod replica_table;
mod replica_world;
mod restore_table;
mod rollback_properties;
mod rollback_table;
mod rollback_world;
mod run_table;
mod simulate_table;
mod simulation;
mod sizes_table;
mod strategy_properties;
mod strategy_tables;
mod target_cost;
mod undo_properties;
mod world;
