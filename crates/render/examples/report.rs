//! Writes the reports of the sample hosts into a directory: `cargo run -p subvault-render --example report -- DIRECTORY`.

use std::error::Error;
use std::path::PathBuf;

use subvault_render::report::{html, markdown};

#[path = "../tests/main/samples.rs"]
mod samples;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args_os().nth(1).ok_or("say into which directory")?);
    std::fs::create_dir_all(&directory)?;
    for (name, sample) in samples::all() {
        std::fs::write(directory.join(format!("{name}.html")), html(&sample.report()))?;
        std::fs::write(directory.join(format!("{name}.md")), markdown(&sample.report()))?;
    }
    Ok(())
}
