//! The words of `render` whose files are made of the strategy.

use subvault_render::file::RenderedFile;
use subvault_render::{btrbk, fstab, monitoring, snapper, sysctl, tmpfiles};

use super::places::copies;
use crate::commands::plan::Decided;
use crate::config;
use crate::context::Context;
use crate::failure::Failure;

/// A word.
pub(super) struct Word {
    /// Makes the files.
    pub(super) make: fn(&Decided, &Context) -> Result<Vec<RenderedFile>, Failure>,
    /// What has to be done with them once they are there.
    pub(super) next: &'static str,
}

pub(super) const FSTAB: Word = Word {
    make: |decided, _| Ok(fstab::render(&decided.found.facts, &decided.strategy).into_iter().collect()),
    next: "take the lines over into /etc/fstab, then look at findmnt --verify",
};

pub(super) const SYSCTL: Word =
    Word { make: |decided, _| Ok(sysctl::render(&decided.strategy).into_iter().collect()), next: "sysctl --system" };

pub(super) const TMPFILES: Word = Word {
    make: |decided, _| Ok(tmpfiles::render(&decided.strategy).into_iter().collect()),
    next: "systemd-tmpfiles --create subvault.conf",
};

pub(super) const SNAPPER: Word = Word {
    make: |decided, _| Ok(snapper::render(&decided.found.facts, &decided.strategy)),
    next: "name them in SNAPPER_CONFIGS, make the subvolumes .snapshots, systemctl daemon-reload",
};

pub(super) const BTRBK: Word = Word {
    make: |decided, context| {
        let setup = config::resolve(&config::load(&context.config)?)?;
        Ok(btrbk::render(&decided.found.facts, &decided.strategy, &copies(&setup)).into_iter().collect())
    },
    next: "btrbk -n run",
};

pub(super) const PROMETHEUS: Word = Word {
    make: |decided, _| Ok(vec![monitoring::prometheus(&decided.strategy)]),
    next: "name rules/*.yml below rule_files in prometheus.yml, then systemctl reload prometheus",
};

pub(super) const DATADOG: Word = Word { make: |decided, _| Ok(monitoring::datadog(&decided.strategy)), next: SEND };

/// What is to be done with what a web page takes.
pub(super) const SEND: &str = "docs/monitoring.md tells how to send it there";

/// All of them.
pub(super) const ALL: [Word; 7] = [FSTAB, SYSCTL, TMPFILES, SNAPPER, BTRBK, PROMETHEUS, DATADOG];
