//! Groups and hooks: names looked up, and what cannot be meant refused.

use std::collections::BTreeMap;

use subvault_host::hook::Hook as Commands;
use subvault_model::names::{GroupName, HookName, SubvolumeName};
use subvault_plan::policy::{Group, Hook, OnFailure};
use toml::Spanned;

use super::Resolver;
use crate::config::error::ConfigError;
use crate::config::hook;
use crate::config::subvolume::Subvolume;

impl Resolver<'_> {
    /// What each hook runs.
    pub(super) fn hooks(&self) -> Result<BTreeMap<HookName, Commands>, ConfigError> {
        let mut hooks = BTreeMap::new();
        for spanned in &self.document.config.hooks {
            let written = spanned.get_ref();
            let commands = written.commands();
            let empty = [&commands.before, &commands.after, &commands.hold].iter().all(|argv| argv.is_empty());
            if empty {
                let what = format!("hook `{}` has nothing to run", written.name);
                let hint = "say `preset`, `before`, `after` or `hold`";
                return Err(self.at(spanned, what).with_hint(hint));
            }
            if hooks.insert(written.name.clone(), commands).is_some() {
                return Err(self.at(spanned, format!("a second hook is called `{}`", written.name)));
            }
        }
        Ok(hooks)
    }

    /// The groups: those that are named, and one for each further subvolume that has hooks.
    pub(super) fn groups(&self) -> Result<Vec<Group>, ConfigError> {
        let mut groups: Vec<Group> = Vec::new();
        for spanned in &self.document.config.groups {
            let written = spanned.get_ref();
            if groups.iter().any(|group| group.name == written.name) {
                return Err(self.at(spanned, format!("a second group is called `{}`", written.name)));
            }
            let mut members: Vec<SubvolumeName> = Vec::new();
            for member in &written.subvolumes {
                self.member(member, &groups)?;
                if members.contains(member.get_ref()) {
                    return Err(self.at(member, format!("`{}` is listed twice", member.get_ref())));
                }
                members.push(member.get_ref().clone());
            }
            if members.is_empty() {
                return Err(self.at(spanned, format!("group `{}` has no subvolumes", written.name)));
            }
            groups.push(Group { name: written.name.clone(), members, hooks: self.chosen_hooks(&written.hooks)? });
        }
        for spanned in &self.document.config.subvolumes {
            groups.extend(self.of_its_own(spanned, &groups)?);
        }
        Ok(groups)
    }

    /// A member of a group must be there, in no other group, and without hooks of its own.
    fn member(&self, member: &Spanned<SubvolumeName>, groups: &[Group]) -> Result<(), ConfigError> {
        let name = member.get_ref();
        let found = self.document.config.subvolumes.iter().find(|s| s.get_ref().name == *name);
        let Some(found) = found else {
            let known = self.document.config.subvolumes.iter().map(|s| s.get_ref().name.to_string());
            let hint = format!("there are {}", known.collect::<Vec<_>>().join(", "));
            return Err(self.at(member, format!("there is no subvolume `{name}`")).with_hint(hint));
        };
        if let Some(other) = groups.iter().find(|group| group.members.contains(name)) {
            return Err(self.at(member, format!("`{name}` is in the group `{}` already", other.name)));
        }
        if found.get_ref().hooks.is_empty() {
            return Ok(());
        }
        let what = format!("`{name}` has hooks of its own and is in a group");
        Err(self.at(member, what).with_hint("give the hooks to the group"))
    }

    fn of_its_own(&self, spanned: &Spanned<Subvolume>, groups: &[Group]) -> Result<Option<Group>, ConfigError> {
        let written = spanned.get_ref();
        if written.hooks.is_empty() {
            return Ok(None);
        }
        let name: GroupName = written.name.as_str().parse().map_err(|_| self.at(spanned, "its name is no name"))?;
        if groups.iter().any(|group| group.name == name) {
            let what = format!("`{name}` has hooks, and a group is called the same");
            return Err(self.at(spanned, what).with_hint("give the group another name"));
        }
        let hooks = self.chosen_hooks(&written.hooks)?;
        Ok(Some(Group { name, members: vec![written.name.clone()], hooks }))
    }

    fn chosen_hooks(&self, chosen: &[Spanned<HookName>]) -> Result<Vec<Hook>, ConfigError> {
        let known = &self.document.config.hooks;
        chosen
            .iter()
            .map(|name| {
                let found = known.iter().find(|hook| hook.get_ref().name == *name.get_ref());
                let unknown = || {
                    let error = self.at(name, format!("there is no hook `{}`", name.get_ref()));
                    error.with_hint("add a table [[hook]] of that name, or leave it out here")
                };
                let found = found.ok_or_else(unknown)?;
                let on_failure = match found.get_ref().on_failure {
                    hook::Failure::Skip => OnFailure::Skip,
                    hook::Failure::Continue => OnFailure::Continue,
                };
                Ok(Hook { name: name.get_ref().clone(), on_failure })
            })
            .collect()
    }
}
