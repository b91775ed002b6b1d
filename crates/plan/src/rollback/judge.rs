//! Judges a rollback: would the machine boot and mount with it?
//!
//! A check that could not be made is told as such and never counts as passed: where a boot hangs on it, it refuses. What is
//! refused may be accepted, each thing by its word, since a person may know more than can be read.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::boot::{self, Entry, Root};
use super::choice::{descends, family};
use super::entry;
use super::fstab::{self, Line};
use super::path::PoolPath;
use super::transaction::{BootEntry, Direction, FORM, Incoming, Nested, Transaction};
use super::{Check, Facts, Outcome, PoolFacts, Role, Spot, Verdict, Wishes, Word, aside};

/// Judges a rollback.
#[must_use]
pub fn judge(facts: &Facts, wishes: &Wishes, now: Timestamp) -> Verdict {
    let mut court = Court { facts, wishes, checks: Vec::new() };
    court.lineage();
    let nested = court.nested();
    let fstab_lines = court.fstab();
    if facts.role != Role::Data {
        court.boot();
        court.kernel();
    }
    let place = facts.subject.path.clone();
    let aside = match facts.source.itself {
        true => facts.source.known.path.clone(),
        false => free_aside(&facts.pool, &place, now),
    };
    let incoming = match facts.source.itself {
        true => Incoming::Itself { uuid: facts.source.known.uuid },
        false => Incoming::SnapshotOf { uuid: facts.source.known.uuid, path: facts.source.known.path.clone() },
    };
    let entry = court.entry(&aside, now);
    let transaction = Transaction {
        form: FORM,
        begun: now,
        pool: facts.pool.uuid,
        place,
        aside,
        outgoing: facts.subject.uuid,
        incoming,
        nested,
        moves_default: facts.pool.default == facts.subject.id,
        fstab_lines,
        entry,
        direction: Direction::Forward,
    };
    Verdict { checks: court.checks, transaction }
}

/// Where what is replaced is kept: a name with the moment, the next one that is free.
fn free_aside(pool: &PoolFacts, place: &PoolPath, now: Timestamp) -> PoolPath {
    let moments = (0..).map_while(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok());
    let mut names = moments.map(|moment| PoolPath::new(aside(place.as_path(), moment)));
    names.find(|name| pool.at(name.as_path()).is_none()).unwrap_or_else(|| PoolPath::new(aside(place.as_path(), now)))
}

struct Court<'a> {
    facts: &'a Facts,
    wishes: &'a Wishes,
    checks: Vec<Check>,
}

impl Court<'_> {
    fn say(&mut self, what: Word, outcome: Outcome, found: impl Into<String>) {
        self.checks.push(Check { what, outcome, found: found.into() });
    }

    fn good(&mut self, what: Word, found: impl Into<String>) {
        self.say(what, Outcome::Good, found);
    }

    fn warn(&mut self, what: Word, found: impl Into<String>) {
        self.say(what, Outcome::Warning, found);
    }

    fn refuse(&mut self, what: Word, found: impl Into<String>) {
        let outcome = if self.wishes.accept.contains(&what) { Outcome::Accepted } else { Outcome::Refused };
        self.say(what, outcome, found);
    }

    fn place(&self) -> &PoolPath {
        &self.facts.subject.path
    }

    fn lineage(&mut self) {
        let Facts { pool, subject, source, .. } = self.facts;
        let known = &source.known;
        if source.itself {
            return self.good(Word::Lineage, format!("{} was in this place before", known.path));
        }
        if known.uuid == subject.uuid {
            return self.refuse(Word::Lineage, "it is the subvolume itself and not a snapshot of it");
        }
        if !descends(pool, &family(pool, subject), known) {
            let found = format!("{} is not a snapshot of {}, as far as their uuids tell", known.path, subject.path);
            return self.refuse(Word::Lineage, found);
        }
        if known.read_only {
            self.good(Word::Lineage, format!("{} is a snapshot of {}", known.path, subject.path));
        } else {
            self.warn(
                Word::Lineage,
                format!("{} is writable: it may not be what it was when it was taken", known.path),
            );
        }
    }

    /// What goes with the place.
    fn nested(&mut self) -> Vec<Nested> {
        let mut moved = Vec::new();
        for known in self.facts.pool.inside(self.facts.subject.id) {
            let Some(below) = known.path.below(self.place()) else { continue };
            let path = &known.path;
            if self.facts.source.itself && known.uuid == self.facts.source.known.uuid {
                self.refuse(Word::Nested, format!("{path} is inside what it would replace"));
            } else if known.read_only && known.received.is_some() {
                // It could be moved only by making it writable, and would be no parent any more.
                self.warn(
                    Word::Nested,
                    format!("{path} was received and is read-only: it stays with what is kept aside"),
                );
            } else {
                match self.facts.tree.spots.get(&below) {
                    Some(spot @ (Spot::Free | Spot::NoDirectory)) => {
                        let is_new = *spot == Spot::NoDirectory;
                        if is_new {
                            let found = format!("the snapshot has no directory for {path}, and the new one gets it");
                            self.warn(Word::Nested, found);
                        }
                        moved.push(Nested { uuid: known.uuid, below, read_only: known.read_only, is_new });
                    }
                    Some(Spot::Taken) | None => {
                        self.refuse(
                            Word::Nested,
                            format!("{path} has no room: something else is there in the snapshot"),
                        );
                    }
                }
            }
        }
        if !moved.is_empty() {
            self.good(Word::Nested, format!("{} nested subvolumes go with it", moved.len()));
        }
        moved
    }

    /// Checks the fstab that counts; gives the lines that are to be mended.
    fn fstab(&mut self) -> Vec<usize> {
        let facts = self.facts;
        if facts.role == Role::Data {
            match &facts.fstab_here {
                Some(text) => drop(self.lines(text, false)),
                None => self.warn(Word::Fstab, "not looked at: no line may mount it by subvolid="),
            }
            return Vec::new();
        }
        let Some(text) = &facts.tree.fstab else {
            self.warn(Word::Fstab, "the snapshot has no /etc/fstab");
            return Vec::new();
        };
        let lines = self.lines(text, true);
        self.others(text);
        lines
    }

    /// Lines that mount the place. They must name it.
    fn lines(&mut self, text: &[u8], is_incoming: bool) -> Vec<usize> {
        let (pool, subject) = (&self.facts.pool, &self.facts.subject);
        let lines = fstab::parse(text);
        let (mut wrong, mut named) = (Vec::new(), Vec::new());
        for line in lines.iter().filter(|line| line.may_be_of(pool)) {
            let is_root = is_incoming && line.point == Path::new("/");
            let by_name = line.subvol().is_some_and(|named| named == subject.path);
            match line.subvolid() {
                // Its own number is that of what comes back.
                Some(id) if self.facts.source.itself && id == self.facts.source.known.id => named.push(line.number),
                Some(id) if by_name || id == subject.id || is_root => wrong.push(line.number),
                _ if by_name => named.push(line.number),
                None if is_root => self.root_line(line),
                _ => {}
            }
        }
        let place = self.place().clone();
        if wrong.is_empty() {
            if !named.is_empty() {
                self.good(Word::Fstab, format!("line {} names {place}", join(&named)));
            } else if self.checks.iter().all(|check| check.what != Word::Fstab) {
                self.good(Word::Fstab, format!("no line mounts {place} by its number"));
            }
            return Vec::new();
        }
        self.numbered(&wrong, is_incoming);
        if is_incoming && self.wishes.edit_fstab { wrong } else { Vec::new() }
    }

    fn numbered(&mut self, wrong: &[usize], is_incoming: bool) {
        let place = self.place().clone();
        let lines = join(wrong);
        match (is_incoming, self.wishes.edit_fstab) {
            (true, true) => self.warn(Word::Fstab, format!("line {lines} of the new root's fstab will name {place}")),
            (true, false) => self.refuse(
                Word::Fstab,
                format!(
                    "line {lines} of the snapshot's /etc/fstab has subvolid=, which the new root will not have; \
                    with --edit-fstab it will say subvol={place} there"
                ),
            ),
            (false, _) => self.refuse(
                Word::Fstab,
                format!(
                    "line {lines} of /etc/fstab mounts it by subvolid=: write subvol={place} and no number instead"
                ),
            ),
        }
    }

    /// The line of the root that names another subvolume, or none.
    fn root_line(&mut self, line: &Line) {
        let (place, number) = (self.place().clone(), line.number);
        match line.subvol() {
            Some(other) => {
                self.refuse(
                    Word::Fstab,
                    format!("line {number} of the snapshot's /etc/fstab mounts {other} as /, not {place}"),
                );
            }
            None if self.facts.pool.default == self.facts.subject.id => {
                self.good(Word::Fstab, format!("line {number} mounts the default subvolume, which {place} is"));
            }
            None => {
                let found = format!(
                    "line {number} of the snapshot's /etc/fstab mounts the default subvolume, which {place} is not"
                );
                self.refuse(Word::Fstab, found);
            }
        }
    }

    /// Lines that mount other subvolumes of this pool, which must be there or the boot stops.
    fn others(&mut self, text: &[u8]) {
        let pool = &self.facts.pool;
        let lines = fstab::parse(text);
        for line in lines.iter().filter(|line| line.may_be_of(pool)) {
            let by_name = line.subvol().filter(|named| !named.as_path().as_os_str().is_empty());
            let missing = match (by_name, line.subvolid()) {
                (Some(named), _) => pool.at(named.as_path()).is_none().then(|| format!("the subvolume {named}")),
                (None, Some(id)) => {
                    let is_there = id.0 == 5 || pool.subvolumes.iter().any(|known| known.id == id);
                    (!is_there).then(|| format!("the subvolume with the number {id}"))
                }
                (None, None) => None,
            };
            let Some(missing) = missing else { continue };
            let found =
                format!("line {} of the snapshot's /etc/fstab mounts {missing}, which is not there", line.number);
            // What names a device or a partition may be another pool.
            if line.may_fail() || !line.is_of(pool) {
                self.warn(Word::Fstab, found);
            } else {
                self.refuse(Word::Fstab, found);
            }
        }
    }

    /// Whether what starts mounts this place.
    fn boot(&mut self) {
        let place = self.place().clone();
        let entries = self.facts.boot.entries(&self.facts.pool);
        let mut named = 0;
        if let Some(line) = &self.facts.cmdline {
            named += usize::from(self.root(&boot::root_of(line), "the running kernel's command line"));
        }
        for entry in &entries {
            named += usize::from(self.root(&entry.root, &entry.file.display().to_string()));
        }
        if named > 0 {
            return self.good(
                Word::Boot,
                format!("{named} of {} that were read mount {place}", counted(&entries, self.facts)),
            );
        }
        if self.checks.iter().any(|check| check.what == Word::Boot) {
            return;
        }
        if self.facts.role == Role::RunningSystem {
            // It runs, so something mounts it: an initrd that was made for it.
            self.warn(Word::Boot, format!("no boot entry or command line names {place}; the initrd must do so"));
        } else {
            let hint = if self.facts.boot.unseen.is_empty() {
                ""
            } else {
                "; mount the boot partition and say --boot DIRECTORY"
            };
            self.refuse(Word::Boot, format!("nothing that was looked at says that {place} is what boots{hint}"));
        }
    }

    /// Whether this mounts the place, and would still do so.
    fn root(&mut self, root: &Root, from: &str) -> bool {
        let place = self.place().clone();
        match root {
            Root::Named(path) => *path == place,
            Root::Numbered(id) if self.facts.source.itself && *id == self.facts.source.known.id => true,
            Root::Numbered(id) if *id == self.facts.subject.id => {
                self.refuse(
                    Word::Boot,
                    format!("{from} has rootflags=subvolid={id}: write rootflags=subvol={place} there"),
                );
                false
            }
            Root::Numbered(_) => false,
            Root::Default => self.facts.pool.default == self.facts.subject.id,
        }
    }

    /// Whether the kernel that starts finds its modules.
    fn kernel(&mut self) {
        let facts = self.facts;
        let entries = self.ours();
        let default = facts.boot.default_of(&entries);
        let versions = match default {
            Some(entry) => vec![entry.version.clone()],
            None => newest(facts.boot.versions()).into_iter().collect(),
        };
        let Some(version) = versions.first() else {
            let unseen: Vec<_> = facts.boot.unseen.iter().map(|base| format!("/{}", base.display())).collect();
            let hint = match unseen.as_slice() {
                [] => "no kernel was found".to_owned(),
                some => format!(
                    "{} is another file system, which was not looked at: mount it and say --boot DIRECTORY",
                    some.join(", ")
                ),
            };
            return self.refuse(Word::Kernel, format!("which kernel starts cannot be told: {hint}"));
        };
        let modules = &facts.tree.modules;
        match version {
            None => {
                self.refuse(
                    Word::Kernel,
                    "the version of the kernel that starts cannot be told from its image or name",
                );
            }
            Some(version) if modules.contains(version) => {
                self.good(Word::Kernel, format!("kernel {version} has its modules in the snapshot"));
            }
            Some(version) => {
                let there: Vec<_> = modules.iter().map(String::as_str).collect();
                let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
                let found = format!("kernel {version} would start without modules: the snapshot has those of {there}");
                self.refuse(Word::Kernel, found);
            }
        }
        for version in entries.iter().filter_map(|entry| entry.version.as_ref()).filter(|v| !modules.contains(*v)) {
            let found = format!("the boot entry of kernel {version} would start without modules");
            if self.checks.iter().all(|check| check.found != found && !check.found.contains(version.as_str())) {
                self.warn(Word::Kernel, found);
            }
        }
    }

    /// The entries that mount this place, or all if none says so.
    fn ours(&self) -> Vec<Entry> {
        let facts = self.facts;
        let is_default = facts.pool.default == facts.subject.id;
        let mut entries = facts.boot.entries(&facts.pool);
        let mounts_it = |entry: &Entry| match &entry.root {
            Root::Named(path) => *path == facts.subject.path,
            Root::Numbered(id) => *id == facts.subject.id,
            Root::Default => is_default,
        };
        if entries.iter().any(mounts_it) {
            entries.retain(mounts_it);
        }
        entries
    }

    /// A boot entry that starts what is kept aside.
    fn entry(&mut self, aside: &PoolPath, now: Timestamp) -> Option<BootEntry> {
        if self.facts.role == Role::Data {
            return None;
        }
        if self.facts.source.itself {
            return entry::to_remove(self.facts, aside);
        }
        match entry::to_write(self.facts, &self.ours(), aside, now) {
            Ok(entry) => Some(entry),
            Err(why) => {
                let place = self.place();
                let how =
                    format!("in the boot menu, subvol={aside} instead of subvol={place} starts what is kept aside");
                self.warn(Word::Boot, format!("no boot entry is written for it, because {why}; {how}"));
                None
            }
        }
    }
}

/// The newest of several versions; one that is not known counts as the newest.
fn newest(mut versions: Vec<Option<String>>) -> Option<Option<String>> {
    if versions.iter().any(Option::is_none) {
        return Some(None);
    }
    versions.sort_by(|a, b| super::kernel::compare(a.as_deref().unwrap_or(""), b.as_deref().unwrap_or("")));
    versions.pop()
}

fn counted(entries: &[Entry], facts: &Facts) -> String {
    match (entries.len(), facts.cmdline.is_some()) {
        (0, _) => "the command line".to_owned(),
        (n, true) => format!("the command line and {n} boot entries"),
        (n, false) => format!("{n} boot entries"),
    }
}

fn join(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
