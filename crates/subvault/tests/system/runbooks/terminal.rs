//! What is typed on machines: commands one after the other in one terminal. A reboot, and another machine, begin a new one, in
//! which nothing is known of what was said before.

use std::collections::BTreeMap;

use super::machine::Machine;
use super::page::Step;

/// Marks what is printed by what damages, and by what is asked.
const DAMAGE: &str = "damage";
const QUESTION: &str = "question";

/// What is asked between steps, and on which kind of machine.
pub(crate) struct Question {
    pub(crate) kind: &'static str,
    pub(crate) script: String,
}

/// A terminal, and the machine that it is on.
pub(crate) struct Terminal<'a> {
    machine: &'a mut Machine,
    /// What runs first whenever the machine itself starts.
    before: &'static str,
    /// What is tried, for who reads of a failure.
    what: &'a str,
    kind: Option<&'static str>,
    script: String,
    steps: Vec<Step>,
    /// What was answered to each question.
    pub(crate) answers: Vec<String>,
    /// How many commands were typed.
    pub(crate) commands: usize,
    /// How often something was to be seen, and was.
    pub(crate) seen: usize,
}

impl<'a> Terminal<'a> {
    pub(crate) fn new(machine: &'a mut Machine, before: &'static str, what: &'a str) -> Self {
        let (script, steps, answers) = (String::new(), Vec::new(), Vec::new());
        Self { machine, before, what, kind: None, script, steps, answers, commands: 0, seen: 0 }
    }

    /// Damages the machine.
    pub(crate) fn damage(&mut self, script: &str) {
        self.add("here", DAMAGE, &format!("(\n{script}\n)"));
    }

    /// Asks.
    pub(crate) fn ask(&mut self, question: &Question) {
        self.add(question.kind, QUESTION, &format!("(\n{}\n) 2>/dev/null || true", question.script));
    }

    /// Types the commands of steps.
    pub(crate) fn follow(&mut self, steps: &[Step]) {
        for step in steps {
            self.steps.push(step.clone());
            let number = (self.steps.len() - 1).to_string();
            for block in &step.blocks {
                match (&block.skipped, block.shell.as_str()) {
                    (Some(_), "reboot") => self.leave(),
                    (Some(_), _) => {}
                    (None, shell) => {
                        let kind = kind_of(&block.place).unwrap_or_else(|| panic!("no such place: {}", block.place));
                        self.add(kind, &number, shell);
                        self.commands += 1;
                    }
                }
            }
        }
    }

    fn add(&mut self, kind: &'static str, mark: &str, script: &str) {
        if self.kind != Some(kind) {
            self.leave();
            self.kind = Some(kind);
        }
        self.script.push_str(&format!("printf '\\n\\001%s\\001\\n' {mark}\n{script}\n"));
    }

    /// Runs what was typed, and compares what was to be seen with what was.
    pub(crate) fn leave(&mut self) {
        let Some(kind) = self.kind.take() else { return };
        let before = if kind == "here" { self.before } else { "" };
        let script = format!("exec 2>&1\n{before}\n{}", std::mem::take(&mut self.script));
        let ran = self.machine.run(kind, &script);
        assert_eq!(ran.code, Some(0), "{}, {kind}\n{}\n{}\n{script}", self.what, ran.out, ran.err);
        let mut printed: BTreeMap<usize, String> = BTreeMap::new();
        for piece in ran.out.split("\n\u{1}").skip(1) {
            let (mark, text) = piece.split_once("\u{1}\n").unwrap();
            match mark {
                DAMAGE => {}
                QUESTION => self.answers.push(text.to_owned()),
                number => printed.entry(number.parse().unwrap()).or_default().push_str(text),
            }
        }
        for (number, text) in printed {
            for word in self.steps[number].wanted() {
                assert!(text.contains(&word), "{}: `{word}` was to be seen in\n{text}", self.what);
                self.seen += 1;
            }
        }
        self.machine.attach_new();
    }
}

/// The kind of machine that a command is typed on, where that is Linux.
pub(crate) fn kind_of(place: &str) -> Option<&'static str> {
    match place {
        "On this machine" => Some("here"),
        "In the rescue system" => Some("rescue"),
        "On another machine" => Some("other"),
        _ => None,
    }
}
