//! The settings that everything is tried with: where, how encrypted, how compressed, in which version of the protocol.

use std::fs;

use subvault_testkit::s3_fake::{Fake, FakeOptions};

use crate::world::World;

/// One way to archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) s3: bool,
    pub(crate) encrypted: bool,
    pub(crate) compressed: bool,
    pub(crate) protocol: &'static str,
}

const PROTOCOLS: [&str; 3] = ["v1", "v2", "v2-uncompressed"];

/// All of them.
pub(crate) fn every() -> Vec<Setting> {
    let mut all = Vec::new();
    for number in 0..24 {
        let on = |bit: usize| (number / 3) & bit != 0;
        all.push(Setting { s3: on(1), encrypted: on(2), compressed: on(4), protocol: PROTOCOLS[number % 3] });
    }
    all
}

/// Six that have each pair of values at least once; the first is as most users have it.
pub(crate) fn pairs() -> Vec<Setting> {
    let rows = [
        (false, true, true, "v2"),
        (true, false, false, "v2"),
        (false, false, true, "v1"),
        (true, true, false, "v1"),
        (true, true, true, "v2-uncompressed"),
        (false, false, false, "v2-uncompressed"),
    ];
    rows.map(|(s3, encrypted, compressed, protocol)| Setting { s3, encrypted, compressed, protocol }).to_vec()
}

impl Setting {
    /// A name for its target.
    pub(crate) fn name(self) -> String {
        format!(
            "{}-{}-{}-{}",
            if self.s3 { "s3" } else { "disk" },
            if self.encrypted { "age" } else { "plain" },
            if self.compressed { "zstd" } else { "raw" },
            self.protocol
        )
    }

    /// Its target in the configuration; directories are made.
    pub(crate) fn target(self, world: &World, fake: &Fake) -> String {
        let mut lines = match self.encrypted {
            true => world.encrypted("chunk_size = \"5 MiB\"\n"),
            false => "encryption = \"off\"\n".to_owned(),
        };
        lines.push_str(&format!("protocol = \"{}\"\n", self.protocol));
        if !self.compressed {
            lines.push_str("compression = \"off\"\n");
        }
        if self.s3 {
            return world.s3_target(&self.name(), fake, &lines, "");
        }
        let directory = world.dir.path().join(self.name());
        fs::create_dir_all(&directory).unwrap();
        format!("[[target]]\nname = \"{}\"\ndirectory = {directory:?}\n{lines}\n", self.name())
    }
}

/// A fake S3 server.
pub(crate) fn fake() -> Fake {
    Fake::start(FakeOptions::default())
}

#[test]
fn each_pair_of_values_is_met() {
    let values = |s: &Setting| {
        [
            format!("s3 {}", s.s3),
            format!("age {}", s.encrypted),
            format!("zstd {}", s.compressed),
            s.protocol.to_owned(),
        ]
    };
    for wanted in every() {
        let wanted = values(&wanted);
        for (i, one) in wanted.iter().enumerate() {
            for other in &wanted[i + 1..] {
                let met = pairs().iter().map(values).any(|v| v.contains(one) && v.contains(other));
                assert!(met, "{one} with {other}");
            }
        }
    }
}
