//! Runs the parts of pages as they stand: something is damaged, the commands are typed one after the other, and what is there
//! afterwards is compared by `find` and `tar` with what there was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use subvault_render::runbook::{Runbook, runbooks};

use super::machine::Machine;
use super::page::{Part, Sheet, Step};
use super::terminal::{Question, Terminal, kind_of};
use crate::world::proved;

/// What `find` and `tar` say of a tree; of the snapshots in it nothing, and of directories no times: names came and went.
const DESCRIBE: &str = r#"
describe() {
    [ -d "$1" ] || { echo missing; return; }
    cd "$1"
    find . -path ./.subvault -prune -o -type d -printf '%P/ %m %U %G\n' -o -printf '%P %y %m %U %G %s %T@ %n %l\n' | sort | cat -v
    tar --exclude=./.subvault --sort=name --numeric-owner --xattrs --acls --format=pax --mtime=@0 \
        --pax-option=delete=atime,delete=ctime -cf - . | sha256sum
    cd /
}
"#;

/// A trial: one or several parts of a page, one after the other.
pub(crate) struct Trial {
    pub(crate) page: &'static str,
    /// What their titles begin with.
    pub(crate) parts: Vec<&'static str>,
    /// What is done to the machine before, by its own root.
    pub(crate) damage: &'static str,
    /// What runs before the commands, in the same start of the machine.
    pub(crate) before: &'static str,
    /// Disks that are new and empty.
    pub(crate) blank: &'static [&'static str],
    /// What is compared; where not at its own place, where.
    pub(crate) compared: Compared,
    /// Whether going back brings the damage back. Where nothing was left, there is nothing to bring.
    pub(crate) undone: bool,
}

/// What is compared with what there was.
pub(crate) enum Compared {
    /// These of the trees, at their places.
    Trees(&'static [&'static str]),
    /// A tree that came to another place: its name, the kind of machine, and where.
    Elsewhere(&'static str, &'static str, &'static str),
    /// What a script says: these words, and others after going back.
    Says(&'static str, [&'static str; 2]),
}

impl Trial {
    /// One part, after this damage, by which these trees suffer.
    pub(crate) fn new(page: &'static str, part: &'static str, damage: &'static str, compared: Compared) -> Self {
        Self { page, parts: vec![part], damage, before: "", blank: &[], compared, undone: true }
    }

    /// Several parts, one after the other, with new and empty disks.
    pub(crate) fn several(
        page: &'static str,
        parts: &[&'static str],
        blank: &'static [&'static str],
        compared: Compared,
    ) -> Self {
        Self { page, parts: parts.to_vec(), damage: "", before: "", blank, compared, undone: false }
    }
}

/// A machine and its pages.
pub(crate) struct Trials {
    pub(crate) machine: Machine,
    pages: BTreeMap<String, Sheet>,
    /// The trees that are looked at: names and places.
    trees: &'static [(&'static str, &'static str)],
    wanted: BTreeMap<String, String>,
    tried: BTreeSet<(String, String)>,
    commands: usize,
    /// Sentences on what is to be seen that were compared with what was.
    seen: usize,
}

impl Trials {
    /// Of a machine that is as it should be.
    pub(crate) fn new(mut machine: Machine, runbook: &Runbook, trees: &'static [(&'static str, &'static str)]) -> Self {
        let files = runbooks(runbook).into_iter().filter(|file| file.path.extension().is_some_and(|end| end == "md"));
        let name =
            |file: &subvault_render::file::RenderedFile| file.path.file_stem().unwrap().to_str().unwrap().to_owned();
        let pages =
            files.map(|file| (name(&file), Sheet::read(&file.text))).filter(|(name, _)| name != "README").collect();
        machine.keep();
        let mut trials =
            Self { machine, pages, trees, wanted: BTreeMap::new(), tried: BTreeSet::new(), commands: 0, seen: 0 };
        for (name, place) in trees {
            let described = trials.machine.run("here", &format!("{DESCRIBE}describe {place}")).expect(0).out;
            trials.wanted.insert((*name).to_owned(), described);
        }
        trials
    }

    /// Tries the pages of these names alone.
    pub(crate) fn only(&mut self, names: &[&str]) {
        self.pages.retain(|page, _| names.contains(&page.as_str()));
    }

    /// Leaves pages of these names to another test.
    pub(crate) fn without(&mut self, names: &[&str]) {
        self.pages.retain(|page, _| !names.contains(&page.as_str()));
    }

    /// Tries it.
    pub(crate) fn attempt(&mut self, trial: &Trial) {
        self.machine.reset(trial.blank);
        let question = self.question(&trial.compared);
        let numbers: Vec<usize> = trial.parts.iter().map(|begin| self.find(trial.page, begin)).collect();
        let parts = numbers.iter().map(|number| &self.pages[trial.page].parts[*number]);
        let steps: Vec<Step> = parts.clone().flat_map(|part| [&part.steps, &part.check]).flatten().cloned().collect();
        let back: Vec<Step> = parts.clone().flat_map(|part| &part.back).cloned().collect();
        let titles: Vec<String> = parts.map(|part| part.title.clone()).collect();
        let what = format!("{}: {}", trial.page, titles.join(", "));
        self.tried.extend(titles.into_iter().map(|title| (trial.page.to_owned(), title)));
        let mut terminal = Terminal::new(&mut self.machine, trial.before, &what);
        let asks_before = trial.blank.is_empty() && matches!(trial.compared, Compared::Trees(_));
        if !trial.damage.is_empty() {
            terminal.damage(trial.damage);
        }
        if asks_before {
            terminal.ask(&question);
        }
        terminal.follow(&steps);
        terminal.ask(&question);
        terminal.follow(&back);
        terminal.ask(&question);
        terminal.leave();
        self.commands += terminal.commands;
        self.seen += terminal.seen;
        let mut answers = std::mem::take(&mut terminal.answers).into_iter();
        let damaged = if asks_before { answers.next() } else { None };
        self.is_good(&trial.compared, &answers.next().unwrap(), &what);
        if !back.is_empty() {
            self.is_back(trial, &damaged.unwrap_or_default(), &answers.next().unwrap(), &what);
        }
    }

    /// What is asked after the steps of a trial.
    fn question(&self, compared: &Compared) -> Question {
        let place = |name: &str| self.trees.iter().find(|(tree, _)| *tree == name).unwrap().1;
        let describe = |place: &str| format!("describe {place}\n");
        match compared {
            Compared::Trees(names) => {
                let all: String = names.iter().map(|name| describe(place(name))).collect();
                Question { kind: "here", script: format!("{DESCRIBE}{all}") }
            }
            Compared::Elsewhere(_, kind, place) => Question { kind, script: format!("{DESCRIBE}{}", describe(place)) },
            Compared::Says(script, _) => Question { kind: "here", script: (*script).to_owned() },
        }
    }

    fn is_good(&self, compared: &Compared, found: &str, what: &str) {
        match compared {
            Compared::Trees(names) => {
                let wanted: String = names.iter().map(|name| self.wanted[*name].as_str()).collect();
                assert_same(&wanted, found, what);
            }
            Compared::Elsewhere(name, ..) => assert_same(&self.wanted[*name], found, what),
            Compared::Says(_, [words, _]) => assert!(found.contains(words), "{what}: {words}\n{found}"),
        }
    }

    fn is_back(&self, trial: &Trial, damaged: &str, found: &str, what: &str) {
        match trial.compared {
            Compared::Trees(_) if trial.undone => assert_same(damaged, found, what),
            Compared::Trees(_) => self.is_good(&trial.compared, found, what),
            Compared::Elsewhere(..) if trial.undone => assert_same("missing\n", found, what),
            Compared::Says(_, [_, words]) if trial.undone => assert!(found.contains(words), "{what}: {words}\n{found}"),
            Compared::Elsewhere(..) | Compared::Says(..) => {}
        }
    }

    fn find(&self, page: &str, begin: &str) -> usize {
        let sheet = self.pages.get(page).unwrap_or_else(|| panic!("{page}: {:?}", self.pages.keys()));
        let found = sheet.parts.iter().position(|part| part.title.starts_with(begin));
        found.unwrap_or_else(|| panic!("{begin}: {:?}", sheet.parts.iter().map(|part| &part.title).collect::<Vec<_>>()))
    }

    /// Leaves a part out, since what it needs is not here.
    pub(crate) fn leave_out(&mut self, page: &str, part: &str, needed: &str) {
        let number = self.find(page, part);
        let title = self.pages[page].parts[number].title.clone();
        let _ = writeln!(std::io::stderr(), "NOT RUN: {page}, {title}: {needed}");
        self.tried.insert((page.to_owned(), title));
    }

    /// Tells what was proved. Fails where a part was never tried, or where another command than one of these, by its first line,
    /// is not run.
    pub(crate) fn tell(&self, of: &str, not_run: &[&str]) {
        let parts = self.pages.iter().flat_map(|(page, sheet)| sheet.parts.iter().map(move |part| (page, part)));
        let runs = |part: &Part| part.all().flat_map(|step| &step.blocks).any(|block| block.skipped.is_none());
        let left: Vec<_> = parts
            .clone()
            .filter(|(page, part)| runs(part) && !self.tried.contains(&((*page).clone(), part.title.clone())))
            .map(|(page, part)| (page, &part.title))
            .collect();
        assert!(left.is_empty(), "never tried: {left:#?}");
        let blocks = parts.flat_map(|(_, part)| part.all()).flat_map(|step| &step.blocks);
        let skipped = blocks.filter(|block| block.skipped.is_some() && kind_of(&block.place).is_some());
        let skipped: BTreeSet<&str> = skipped.filter_map(|block| block.shell.lines().next()).collect();
        assert_eq!(skipped, not_run.iter().copied().collect(), "commands that are not run");
        proved(&format!(
            "runbooks of {of}: {} parts of {} pages work as they stand, {} commands run and {} not; what is to be seen was seen {} times",
            self.tried.len(),
            self.pages.len(),
            self.commands,
            skipped.len(),
            self.seen
        ));
    }
}

fn assert_same(wanted: &str, found: &str, what: &str) {
    if wanted != found {
        let only = |one: &str, other: &str| {
            let others: BTreeSet<&str> = other.lines().collect();
            one.lines().filter(|line| !others.contains(line)).collect::<Vec<_>>().join("\n")
        };
        panic!("{what}\nonly before:\n{}\nonly after:\n{}", only(wanted, found), only(found, wanted));
    }
}
