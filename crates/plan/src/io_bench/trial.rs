//! What of a performance mode can be tried on a machine without changing it for good, and what cannot. Pure.
//!
//! New files can be stored otherwise in a scratch subvolume, by attributes of its top directory; parameters of the kernel can
//! be set for a while, where the user asks for it. Options of a mount hold for everything on the filesystem and are left alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::strategy::storage::{Compression, FilesystemOption, Intent, Mode, mode_sysctls};
use crate::strategy::workload::Workload;

/// How the machine is, as far as a mode would change it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Here {
    /// The options of the filesystem.
    pub options: Vec<String>,
    /// How new files in the directory are stored, by its own attributes.
    pub storage: Storage,
    /// The parameters of the kernel that could be read.
    pub sysctls: BTreeMap<String, String>,
}

/// How new files in a directory are stored, by its attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storage {
    /// In the words of `btrfs property`; `None`: as the filesystem says.
    pub compression: Option<String>,
    /// Whether they have the attribute C.
    pub is_nocow: bool,
}

/// What a directory is to be like.
#[derive(Debug, Clone, Copy)]
pub struct Tuned<'a> {
    /// What the host is tuned for.
    pub mode: Mode,
    /// How a subvolume of the chosen workload is to be stored then.
    pub intent: Intent,
    /// The options that its filesystem is to have then.
    pub options: &'a [FilesystemOption],
}

/// A parameter of the kernel with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A parameter that is set for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SysctlChange {
    /// What is set.
    pub set: Setting,
    /// What is set afterwards: mostly the same parameter, but not where another one took its place.
    pub back: Setting,
}

/// Something that cannot be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotTried {
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
}

/// What is compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// How files are stored as it is now.
    pub now: Storage,
    /// How they are stored with the mode.
    pub tuned: Storage,
    /// What is set meanwhile.
    pub sysctls: Vec<SysctlChange>,
    /// What is tried, in words.
    pub tried: Vec<String>,
    /// What is not.
    pub not_tried: Vec<NotTried>,
}

impl Here {
    fn has_option(&self, option: &str) -> bool {
        self.options.iter().any(|there| there == option)
    }
}

impl SysctlChange {
    /// Whether it is in force, and so has to be taken back, by the value of what was set. Another value is somebody else's.
    #[must_use]
    pub fn is_in_force(&self, value: &str) -> bool {
        value == self.set.value
    }
}

/// What a mode is for, where nobody says what the files are used for.
#[must_use]
pub const fn usual_workload(mode: Mode) -> Workload {
    match mode {
        Mode::IoOptimized => Workload::Database,
        Mode::Balanced | Mode::SpaceOptimized => Workload::User,
    }
}

/// The names of all parameters that have to be known of for a mode.
#[must_use]
pub fn names(mode: Mode) -> BTreeSet<&'static str> {
    mode_sysctls(mode).iter().flat_map(|sysctl| [Some(sysctl.name), twin(sysctl.name)]).flatten().collect()
}

/// The parameter that says the same in other words; whichever was set last counts, and the other one is 0 (vm.rst).
fn twin(name: &str) -> Option<&'static str> {
    match name {
        "vm.dirty_ratio" => Some("vm.dirty_bytes"),
        "vm.dirty_background_ratio" => Some("vm.dirty_background_bytes"),
        _ => None,
    }
}

/// What is tried.
#[must_use]
pub fn trial(tuned: Tuned<'_>, here: &Here, with_sysctls: bool) -> Trial {
    let now = here.storage.clone();
    let mut trial = Trial { tuned: now.clone(), now, ..Trial::default() };
    trial.try_storage(tuned.intent, here);
    trial.name_options(tuned.options, here);
    trial.try_sysctls(tuned.mode, here, with_sysctls);
    trial
}

impl Trial {
    /// Whether something is.
    #[must_use]
    pub fn is_something(&self) -> bool {
        !self.tried.is_empty()
    }

    fn leave(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.not_tried.push(NotTried { what: what.into(), why: why.into() });
    }

    fn try_storage(&mut self, intent: Intent, here: &Here) {
        let mount_is_nocow = here.has_option("nodatacow");
        match (intent.is_cow, here.storage.is_nocow, mount_is_nocow) {
            (false, false, false) => {
                self.tuned = Storage { compression: None, is_nocow: true };
                self.tried.push("new files are written over in place, without checksums (attribute C)".to_owned());
            }
            // It is so already.
            (false, _, _) => {}
            (true, _, true) => {
                let why = "the whole filesystem is mounted with nodatacow";
                self.leave("copy on write, with checksums and compression", why);
            }
            (true, is_nocow, false) => {
                if is_nocow {
                    self.tuned.is_nocow = false;
                    self.tried.push("new files are copied on write, with checksums (no attribute C)".to_owned());
                }
                self.try_compression(intent.compression, here);
            }
        }
    }

    fn try_compression(&mut self, wanted: Compression, here: &Here) {
        if wanted != Compression::Off && here.has_option("nodatasum") {
            self.leave("compression", "the whole filesystem is mounted with nodatasum");
            return;
        }
        // What is not copied on write is not compressed, whatever the filesystem says.
        let now = if here.storage.is_nocow { None } else { kind(here) };
        match (wanted, now.as_deref()) {
            (Compression::Off, None) | (Compression::Zstd(_), Some("zstd")) => {}
            (Compression::Off, Some(_)) => {
                self.tuned.compression = Some("none".to_owned());
                self.tried.push("new files are not compressed (property compression=none)".to_owned());
            }
            (Compression::Zstd(_), _) => {
                self.tuned.compression = Some("zstd".to_owned());
                self.tried.push("new files are compressed (property compression=zstd)".to_owned());
            }
        }
        if let Compression::Zstd(level) = wanted
            && level != self::level(here)
        {
            let why = format!(
                "a level holds for a whole filesystem, as an option of its mounts, and level {} was used",
                self::level(here)
            );
            self.leave(format!("compression of level {level}"), why);
        }
    }

    /// Options of the filesystem other than compression, which is tried by attribute.
    fn name_options(&mut self, wanted: &[FilesystemOption], here: &Here) {
        for option in wanted.iter().filter(|option| !option.value.starts_with("compress")) {
            if !here.has_option(&option.value) {
                self.leave(option.value.clone(), "options of mounts that are in use are not changed for a test");
            }
        }
    }

    fn try_sysctls(&mut self, mode: Mode, here: &Here, with_sysctls: bool) {
        for sysctl in mode_sysctls(mode) {
            let what = format!("{} = {}", sysctl.name, sysctl.value);
            let Some(now) = here.sysctls.get(sysctl.name) else {
                self.leave(what, "it cannot be read here");
                continue;
            };
            if now == sysctl.value {
                continue;
            }
            if !with_sysctls {
                self.leave(what, format!("it holds for the whole machine, and is {now}; --sysctls tries it"));
                continue;
            }
            let back = back(sysctl.name, now, here);
            self.tried.push(format!("{what} (instead of {} = {})", back.name, back.value));
            let set = Setting { name: sysctl.name.to_owned(), value: sysctl.value.to_owned() };
            self.sysctls.push(SysctlChange { set, back });
        }
    }
}

/// What brings back what is now.
fn back(name: &str, now: &str, here: &Here) -> Setting {
    let other = twin(name).and_then(|twin| Some((twin, here.sysctls.get(twin)?)));
    match other.filter(|(_, value)| now == "0" && *value != "0") {
        Some((twin, value)) => Setting { name: twin.to_owned(), value: value.clone() },
        None => Setting { name: name.to_owned(), value: now.to_owned() },
    }
}

/// The option of the filesystem that says how it compresses.
fn compress(here: &Here) -> Option<&str> {
    here.options.iter().find_map(|o| o.strip_prefix("compress=").or_else(|| o.strip_prefix("compress-force=")))
}

/// By what new files in the directory are compressed, if they are.
fn kind(here: &Here) -> Option<String> {
    let said = here.storage.compression.as_deref().or_else(|| compress(here))?;
    let word = said.split(':').next().unwrap_or(said);
    // In both ways of saying it, `no` and `none` say that they are not.
    (!matches!(word, "" | "no" | "none")).then(|| word.to_owned())
}

/// The level of zstd on this filesystem; 3 where it says nothing of it.
fn level(here: &Here) -> u8 {
    compress(here).and_then(|said| said.strip_prefix("zstd:")?.parse().ok()).unwrap_or(3)
}
