//! A rendered page, read back as a person reads it: parts, steps, what is typed where, and what is to be seen.

/// A page.
pub(crate) struct Sheet {
    pub(crate) parts: Vec<Part>,
}

/// A part of a page.
pub(crate) struct Part {
    pub(crate) title: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) check: Vec<Step>,
    pub(crate) back: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Step {
    pub(crate) blocks: Vec<Block>,
    /// What stands after "You see".
    pub(crate) see: String,
}

/// A fenced block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Where it is typed.
    pub(crate) place: String,
    pub(crate) shell: String,
    /// Why no test runs it.
    pub(crate) skipped: Option<String>,
}

const NOT_RUN: &str = subvault_render::runbook::NOT_RUN;

impl Sheet {
    /// Reads a page.
    pub(crate) fn read(text: &str) -> Self {
        let mut sheet = Self { parts: Vec::new() };
        let (mut section, mut place, mut skipped) = (0, String::new(), None);
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(title) = line.strip_prefix("## ") {
                sheet.parts.push(Part { title: title.to_owned(), steps: vec![], check: vec![], back: vec![] });
                section = 0;
            } else if line.starts_with("### ") {
                section = if line == "### Going back" { 2 } else { 1 };
            } else if line.starts_with("**") && line[2..].starts_with(|c: char| c.is_ascii_digit()) {
                sheet.section(section).push(Step::default());
            } else if let Some(reason) = line.strip_prefix(NOT_RUN) {
                skipped = Some(reason.trim_end_matches(" -->").to_owned());
            } else if line.starts_with("```") {
                let shell: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                let block = Block { place: place.clone(), shell: shell.join("\n"), skipped: skipped.take() };
                sheet.section(section).last_mut().unwrap().blocks.push(block);
            } else if let Some(see) = line.strip_prefix("You see: ") {
                see.clone_into(&mut sheet.section(section).last_mut().unwrap().see);
            } else if let Some(named) =
                line.strip_suffix(':').filter(|named| named.starts_with("On ") || named.starts_with("In "))
            {
                named.clone_into(&mut place);
            }
        }
        sheet
    }

    fn section(&mut self, number: usize) -> &mut Vec<Step> {
        let part = self.parts.last_mut().unwrap();
        match number {
            0 => &mut part.steps,
            1 => &mut part.check,
            _ => &mut part.back,
        }
    }
}

impl Part {
    /// All steps, in the order in which they stand.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(&self.check).chain(&self.back)
    }
}

impl Step {
    /// What has to be among the output for certain: the code in the first sentence of what is to be seen. An ellipsis stands for
    /// anything.
    pub(crate) fn wanted(&self) -> Vec<String> {
        let first = self.see.split(". ").next().unwrap_or_default();
        let codes = first.split('`').skip(1).step_by(2);
        codes
            .flat_map(|code| code.split('…'))
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect()
    }
}
