//! Runbooks are followed as they stand: each command of their Linux parts is typed, after something was damaged, on a machine
//! with loop devices for disks, and what is there afterwards is compared with what there was.

mod databases;
mod hosts;
mod laptop;
mod machine;
mod page;
mod server;
mod terminal;
mod trial;
mod verb;
