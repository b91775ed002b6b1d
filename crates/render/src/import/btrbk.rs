//! `import btrbk`: a `btrbk.conf`, with its sections and what they inherit. See `btrbk.conf(5)`.

mod configured;
mod keys;
mod preserve;
mod syntax;
mod targets;
mod url;

use std::collections::BTreeSet;

pub use self::configured::{Configured, ConfiguredTarget};
use self::keys::fate;
use self::targets::Targets;
pub use self::url::{Host, Url};
use super::draft::{self, Draft, Keep, Subvolume};
use super::{Fate, Imported, NotUnderstood, Remark};

/// What the file comes to, before anything is made of it: one for each subvolume that btrbk would look after.
///
/// # Errors
/// When btrbk would not read it either.
pub fn read(name: &str, text: &str) -> Result<Vec<Configured>, NotUnderstood> {
    let file = syntax::read(name, text)?;
    configured::of(&file).map_err(|(line, what)| NotUnderstood { file: name.to_owned(), line, what })
}

/// Reads it as a configuration of ours. `name` is the file's, for people.
///
/// # Errors
/// When btrbk would not read it either.
pub fn import(name: &str, text: &str) -> Result<Imported, NotUnderstood> {
    let file = syntax::read(name, text)?;
    let mut remarks: Vec<Remark> = file.statements.iter().map(|said| remark(name, said)).collect();
    let mut work =
        Work { name, draft: Draft::default(), names: BTreeSet::new(), targets: Targets::default(), more: Vec::new() };
    for configured in read(name, text)? {
        work.take(&configured);
    }
    let Work { mut draft, targets, more, .. } = work;
    draft.head = HEAD.to_owned();
    draft.targets = targets.finish();
    draft.leave_out_unfinished();
    remarks.extend(more);
    remarks.sort_by_key(|remark| remark.line);
    let mut imported = Imported { config: String::new(), remarks };
    draft.losses = imported.losses().map(ToString::to_string).collect();
    imported.config = draft.text();
    Ok(imported)
}

fn remark(name: &str, said: &syntax::Statement) -> Remark {
    let value = if said.value.is_empty() { "yes" } else { &said.value };
    let (fate, why) = fate(&said.key, value);
    let what = format!("{} {}", said.key, said.value).trim_end().to_owned();
    Remark { file: name.to_owned(), line: said.line, what, fate, why: why.to_owned() }
}

struct Work<'a> {
    name: &'a str,
    draft: Draft,
    names: BTreeSet<String>,
    targets: Targets,
    more: Vec<Remark>,
}

impl Work<'_> {
    fn lose(&mut self, line: usize, what: String, why: &str) {
        let (file, why) = (self.name.to_owned(), why.to_owned());
        self.more.push(Remark { file, line, what, fate: Fate::NotCarried, why });
    }

    fn take(&mut self, configured: &Configured) {
        let what = format!("subvolume {}", configured.source);
        if configured.source.host.is_some() {
            return self.lose(configured.line, what, "nothing is fetched from other hosts; run subvault there");
        }
        if configured.source.path.contains('*') {
            return self.lose(configured.line, what, "each subvolume needs a table of its own; name them one by one");
        }
        if configured.is_set("noauto") == Some("yes") {
            return;
        }
        let preserve = configured.snapshot_preserve();
        let schedule = if preserve.contains('h') { "hourly" } else { "daily" };
        let mut targets = Vec::new();
        for target in configured.targets.iter().filter(|target| target.is_set("noauto") != Some("yes")) {
            match self.targets.add(target) {
                Ok(name) => {
                    targets.push(name);
                    // btrbk sends whenever it takes snapshots. Once a day is usual here.
                    self.draft.send = self.draft.send.or(Some(schedule).filter(|word| *word == "hourly"));
                }
                Err(why) => self.lose(target.line, format!("target {} of {}", target.url, configured.source), why),
            }
        }
        let keep = preserve::keep(&preserve).unwrap_or_else(|| {
            self.lose(configured.line, what, "its retention could not be read, so everything is kept");
            Keep::everything()
        });
        let is_taken = !configured.says_no("snapshot_create");
        let mut notes = vec![format!("From {}:{}.", self.name, configured.line)];
        if is_taken {
            notes.push(format!("btrbk takes snapshots when it is started; if that is not {schedule}, say so below."));
        }
        self.draft.subvolumes.push(Subvolume {
            name: draft::name(&configured.snapshot_name, &mut self.names),
            path: configured.source.path.clone(),
            snapshot: is_taken.then(|| schedule.to_owned()),
            keep,
            targets: Some(targets),
            notes,
        });
    }
}

const HEAD: &str = "\
The configuration of subvault, made from btrbk's by `subvault import btrbk`.
Look it through. btrbk goes on as before until you stop it (btrbk.timer, or a line in a crontab).
Its snapshots stay, are shown by `subvault list`, and are never deleted by subvault.
btrbk counts from today back and this counts periods that have snapshots: as many or more are kept.";
