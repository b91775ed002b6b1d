//! What stands in a `btrbk.conf`: statements, and the sections that they are in. As btrbk reads it, quirks included.

use std::collections::BTreeMap;

use super::url::Url;
use crate::import::NotUnderstood;

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) line: usize,
    /// In lower case.
    pub(super) key: String,
    /// Without blanks around it.
    pub(super) value: String,
}

/// The settings of a section: what stands last counts. `None` is `no`.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope(pub(super) BTreeMap<String, Option<String>>);

/// A file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) statements: Vec<Statement>,
    pub(super) scope: Scope,
    pub(super) targets: Vec<TargetSection>,
    pub(super) volumes: Vec<VolumeSection>,
}

/// `volume …`, or what stands for it where subvolumes are named by whole paths.
#[derive(Debug, Default)]
pub(super) struct VolumeSection {
    pub(super) url: Option<Url>,
    pub(super) scope: Scope,
    pub(super) targets: Vec<TargetSection>,
    pub(super) subvolumes: Vec<SubvolumeSection>,
}

/// `subvolume …`.
#[derive(Debug)]
pub(super) struct SubvolumeSection {
    pub(super) line: usize,
    pub(super) url: Url,
    pub(super) scope: Scope,
    pub(super) targets: Vec<TargetSection>,
}

/// `target …`.
#[derive(Debug, Clone)]
pub(super) struct TargetSection {
    pub(super) line: usize,
    pub(super) raw: bool,
    pub(super) url: Url,
    pub(super) scope: Scope,
}

/// Which section the next statement belongs to.
enum Within {
    Global,
    Volume,
    Subvolume,
    TargetOf(Owner),
}

#[derive(Clone, Copy)]
enum Owner {
    Global,
    Volume,
    Subvolume,
}

/// Reads a file.
pub(super) fn read(name: &str, text: &str) -> Result<File, NotUnderstood> {
    let mut file = File::default();
    let mut within = Within::Global;
    for (index, line) in text.lines().enumerate() {
        let line = without_comment(line).trim();
        if line.is_empty() {
            continue;
        }
        let bad = |what: String| NotUnderstood { file: name.to_owned(), line: index + 1, what };
        let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if !key.chars().all(|c| c.is_ascii_alphabetic() || c == '_') {
            return Err(bad(format!("`{line}` is no setting that btrbk would read")));
        }
        let said = Statement { line: index + 1, key: key.to_ascii_lowercase(), value: value.trim().to_owned() };
        within = file.take(&said, within).map_err(bad)?;
        file.statements.push(said);
    }
    Ok(file)
}

impl File {
    fn take(&mut self, said: &Statement, within: Within) -> Result<Within, String> {
        let path = unquoted(&said.value);
        match said.key.as_str() {
            "volume" => {
                self.volumes.push(VolumeSection { url: Some(Url::read(path)?), ..VolumeSection::default() });
                Ok(Within::Volume)
            }
            "subvolume" => {
                if self.volumes.is_empty() {
                    self.volumes.push(VolumeSection::default());
                }
                let volume = self.volumes.last_mut().ok_or("a subvolume without a volume")?;
                let url = match &volume.url {
                    Some(outer) if !path.starts_with('/') => outer.join(path)?,
                    _ => Url::read(path)?,
                };
                let (scope, targets) = Default::default();
                volume.subvolumes.push(SubvolumeSection { line: said.line, url, scope, targets });
                Ok(Within::Subvolume)
            }
            "target" => {
                let owner = match within {
                    Within::Global => Owner::Global,
                    Within::Volume => Owner::Volume,
                    Within::Subvolume => Owner::Subvolume,
                    Within::TargetOf(owner) => owner,
                };
                let target = target(said)?;
                self.targets_of(owner).ok_or("a target without a section")?.push(target);
                Ok(Within::TargetOf(owner))
            }
            key => {
                let value = if said.value.is_empty() { "yes" } else { &said.value };
                let value = Some(value).filter(|value| *value != "no").map(str::to_owned);
                self.scope_of(&within).ok_or("a setting without a section")?.0.insert(key.to_owned(), value);
                Ok(within)
            }
        }
    }

    fn targets_of(&mut self, owner: Owner) -> Option<&mut Vec<TargetSection>> {
        match owner {
            Owner::Global => Some(&mut self.targets),
            Owner::Volume => self.volumes.last_mut().map(|volume| &mut volume.targets),
            Owner::Subvolume => self.volumes.last_mut()?.subvolumes.last_mut().map(|s| &mut s.targets),
        }
    }

    fn scope_of(&mut self, within: &Within) -> Option<&mut Scope> {
        match within {
            Within::Global => Some(&mut self.scope),
            Within::Volume => self.volumes.last_mut().map(|volume| &mut volume.scope),
            Within::Subvolume => self.volumes.last_mut()?.subvolumes.last_mut().map(|s| &mut s.scope),
            Within::TargetOf(owner) => self.targets_of(*owner)?.last_mut().map(|target| &mut target.scope),
        }
    }
}

fn target(said: &Statement) -> Result<TargetSection, String> {
    let (kind, place) = match said.value.split_once(char::is_whitespace) {
        Some((kind, place)) if kind.chars().all(|c| c.is_ascii_alphabetic() || "_-".contains(c)) => {
            (kind.to_ascii_lowercase(), place.trim())
        }
        _ => ("send-receive".to_owned(), said.value.as_str()),
    };
    let raw = match kind.as_str() {
        "send-receive" => false,
        "raw" => true,
        _ => return Err(format!("there are no targets of the type `{kind}`")),
    };
    Ok(TargetSection { line: said.line, raw, url: Url::read(unquoted(place))?, scope: Scope::default() })
}

fn unquoted(text: &str) -> &str {
    let inside = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

/// The line up to its comment. Quotes protect a `#` only if a comment follows; so does btrbk.
fn without_comment(line: &str) -> &str {
    let starts = line.char_indices().map(|(index, _)| index);
    let cut = starts.filter_map(|start| comment_from(line, start)).next();
    cut.map_or(line, |at| &line[..at])
}

/// Where the comment begins for one who begins to read at `start`.
fn comment_from(line: &str, start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let found = at + line[at..].find(['#', '"', '\''])?;
        match &line[found..=found] {
            "#" => return Some(found),
            quote => at = found + 1 + line[found + 1..].find(quote)? + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_end_lines() {
        for (line, wanted) in [
            ("a b # c", "a b "),
            ("# c", ""),
            ("a \"b # c\" # d", "a \"b # c\" "),
            ("a \"b # c\"", "a \"b "),
            ("it's # c", "it's "),
            ("a 'b' c", "a 'b' c"),
            ("ä#ö", "ä"),
        ] {
            assert_eq!(without_comment(line), wanted, "{line}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, line) in [("a-b c", 1), ("\nvolume x", 2), ("volume /a\n\nsubvolume ../b", 3), ("target odd /x", 1)]
        {
            let error = read("f", text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error}");
        }
    }
}
