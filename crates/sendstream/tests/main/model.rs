//! The scope against a small file system with inodes: random streams that can be applied to a random parent.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use subvault_sendstream::{
    command::Command,
    touched::{Scope, Touched},
};

type Path = Vec<u8>;

#[derive(Debug, Clone, Default, PartialEq)]
struct Inode {
    directory: bool,
    data: Vec<u8>,
    mode: u64,
    /// Bytes that a command changed or may have.
    affected: BTreeSet<u64>,
    changed: bool,
}

/// The tree: names to inode numbers, which are never used again.
#[derive(Debug, Clone, Default)]
struct World {
    names: BTreeMap<Path, usize>,
    inodes: Vec<Inode>,
    /// So many inodes come from the parent.
    of_parent: usize,
    /// A changed file of the parent lost a name.
    risky: bool,
}

/// Numbers from which a step that is possible is made.
type Dice = (u8, u16, u16, u8, u8);

const NAMES: [&[u8]; 6] = [b"a", b"a0", b"a.", b"a!", b"b", b"o257-7-0"];

impl World {
    fn pick(&self, directory: bool, number: u16) -> Option<Path> {
        let fit: Vec<_> = self.names.iter().filter(|&(_, &ino)| self.inodes[ino].directory == directory).collect();
        (!fit.is_empty()).then(|| fit[usize::from(number) % fit.len()].0.clone())
    }

    fn new_name(&self, number: u16) -> Path {
        let name = NAMES[usize::from(number) % NAMES.len()];
        let at_top = number.is_multiple_of(4);
        match self.pick(true, number / 7).filter(|_| !at_top) {
            Some(directory) => [&directory, &b"/"[..], name].concat(),
            None => name.to_vec(),
        }
    }

    fn below<'a>(&'a self, path: &[u8]) -> impl Iterator<Item = (&'a Path, &'a usize)> {
        let prefix = [path, b"/"].concat();
        self.names.iter().filter(move |(name, _)| name.starts_with(&prefix))
    }

    fn lose_name(&mut self, path: &[u8]) {
        let ino = self.names.remove(path).unwrap();
        let inode = &self.inodes[ino];
        self.risky |= ino < self.of_parent && inode.changed && !inode.directory;
    }

    fn create(&mut self, path: &[u8], directory: bool) {
        self.names.insert(path.to_vec(), self.inodes.len());
        self.inodes.push(Inode { directory, ..Inode::default() });
    }

    /// Does one step, if it is possible, and shows the command to `see`.
    fn step(&mut self, dice: Dice, see: &mut impl FnMut(&Command<'_>)) {
        let (kind, first, second, offset, len) = dice;
        match kind {
            0..6 => self.change(dice, see),
            6..10 => {
                let path = self.new_name(second);
                if !self.names.contains_key(&path) {
                    self.create(&path, kind >= 8);
                    let path = &path[..];
                    see(&if kind >= 8 { Command::Mkdir { path } } else { Command::Mkfile { path } });
                }
            }
            10..12 => {
                let (Some(existing), path) = (self.pick(false, first), self.new_name(second)) else { return };
                if !self.names.contains_key(&path) {
                    self.names.insert(path.clone(), self.names[&existing]);
                    see(&Command::Link { path: &path, existing: &existing });
                }
            }
            12..14 => {
                let Some(path) = self.pick(false, first) else { return };
                self.lose_name(&path);
                see(&Command::Unlink { path: &path });
            }
            14 => {
                let Some(path) = self.pick(true, first) else { return };
                if self.below(&path).next().is_none() {
                    self.lose_name(&path);
                    see(&Command::Rmdir { path: &path });
                }
            }
            _ => self.rename(offset ^ len, first, second, see),
        }
    }

    fn change(&mut self, (kind, first, _, offset, len): Dice, see: &mut impl FnMut(&Command<'_>)) {
        let Some(path) = self.pick(kind == 5 && first.is_multiple_of(2), first) else { return };
        let (path, ino) = (&path[..], self.names[&path]);
        let inode = &mut self.inodes[ino];
        inode.changed = true;
        let (start, end) = (u64::from(offset), u64::from(offset) + u64::from(len));
        let old = inode.data.len() as u64;
        match kind {
            0..3 if len > 0 => {
                let data = vec![len | 1; usize::from(len)];
                inode.data.resize(old.max(end) as usize, 0);
                inode.data[start as usize..end as usize].copy_from_slice(&data);
                inode.affected.extend(start.min(old)..end);
                see(&Command::Write { path, offset: start, data: &data });
            }
            3..5 => {
                inode.data.resize(start as usize, 0);
                inode.affected.extend(start.min(old)..start.max(old));
                see(&Command::Truncate { path, size: start });
            }
            _ => {
                inode.mode += 1;
                see(&Command::Chmod { path, mode: inode.mode });
            }
        }
    }

    fn rename(&mut self, which: u8, first: u16, second: u16, see: &mut impl FnMut(&Command<'_>)) {
        let Some(from) = self.pick(which.is_multiple_of(2), first) else { return };
        let to = if which % 8 < 5 { self.new_name(second) } else { self.pick(false, second).unwrap_or_default() };
        let ino = self.names[&from];
        let inside = [&from, &b"/"[..]].concat();
        if to.is_empty() || to == from || to.starts_with(&inside) {
            return;
        }
        if let Some(&replaced) = self.names.get(&to) {
            let both_directories = self.inodes[ino].directory && self.inodes[replaced].directory;
            let neither = !self.inodes[ino].directory && !self.inodes[replaced].directory;
            if replaced == ino {
                // To rename one link of a file to another does nothing. With links of the parent it is not promised.
                if ino >= self.of_parent {
                    see(&Command::Rename { path: &from, to: &to });
                }
                return;
            }
            if !(both_directories || neither) || self.below(&to).next().is_some() {
                return;
            }
            // Whether a directory is replaced, which has no other name, the stream does not say.
            self.risky |= self.inodes[replaced].directory && self.inodes[replaced].changed;
            self.lose_name(&to);
        }
        let moved: Vec<Path> = self.below(&from).map(|(name, _)| name.clone()).collect();
        for name in moved {
            let ino = self.names.remove(&name).unwrap();
            self.names.insert([&to, &name[from.len()..]].concat(), ino);
        }
        self.names.remove(&from);
        self.names.insert(to.clone(), ino);
        see(&Command::Rename { path: &from, to: &to });
    }

    /// The directory of a path, as an inode number, and the name in it.
    fn place<'a>(&self, path: &'a [u8]) -> (Option<usize>, &'a [u8]) {
        match path.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (Some(self.names[&path[..slash]]), &path[slash + 1..]),
            None => (None, path),
        }
    }
}

/// Everything that the module documentation of `touched` guarantees.
fn check(parent: &World, world: &World, touched: &Touched) {
    let Scope::Paths(paths) = touched.scope() else {
        assert!(world.risky, "everything without a reason");
        return;
    };
    for (path, part) in paths.iter() {
        let ino = *world.names.get(path).expect("a path that does not exist");
        let inode = &world.inodes[ino];
        assert_eq!(part.created, ino >= world.of_parent);
        for range in part.ranges.iter() {
            let end = range.end.min(inode.data.len() as u64);
            assert!((range.start..end).all(|byte| inode.affected.contains(&byte)), "unchanged bytes in {range:?}");
        }
    }
    for (ino, inode) in world.inodes.iter().enumerate() {
        let parts: Vec<_> =
            world.names.iter().filter(|&(_, &i)| i == ino).map(|(name, _)| (name, paths.get(name))).collect();
        let before = parent.inodes.get(ino).cloned().unwrap_or_default();
        if parts.is_empty() || (ino < world.of_parent && !inode.changed) {
            continue;
        }
        assert!(parts.iter().any(|(_, part)| part.is_some()), "{ino} in {parts:?}");
        for (at, byte) in inode.data.iter().enumerate() {
            let was = before.data.get(at).copied().unwrap_or(0);
            let mut parts = parts.iter().filter_map(|(_, part)| *part);
            assert!(*byte == was || parts.any(|part| part.ranges.contains(at as u64)), "byte {at} of {ino}");
        }
    }
    let old: BTreeSet<_> = parent.names.iter().map(|(path, ino)| (parent.place(path), ino)).collect();
    for (path, ino) in &world.names {
        assert!(old.contains(&(world.place(path), ino)) || paths.get(path).is_some(), "new name {path:?}");
    }
}

fn dice(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Dice>> {
    vec((0..19u8, any::<u16>(), any::<u16>(), 0..40u8, 0..20u8), count)
}

fn run(before: &[Dice], stream: &[Dice], limit: usize) -> (World, World, Touched) {
    let mut parent = World::default();
    for &dice in before {
        parent.step(dice, &mut |_| ());
    }
    for inode in &mut parent.inodes {
        *inode = Inode { affected: BTreeSet::new(), changed: false, ..inode.clone() };
    }
    parent.of_parent = parent.inodes.len();
    parent.risky = false;
    let mut world = parent.clone();
    let mut touched = Touched::new(limit);
    for &dice in stream {
        world.step(dice, &mut |command| touched.command(command));
    }
    (parent, world, touched)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_scope_keeps_its_promises(before in dice(0..40), stream in dice(0..40)) {
        let (parent, world, touched) = run(&before, &stream, 1 << 20);
        check(&parent, &world, &touched);
    }

    #[test]
    fn the_limit_depends_on_the_commands_alone(stream in dice(0..40), limit in 0..8000usize) {
        let (_, _, mut first) = run(&[], &stream, limit);
        let (_, world, second) = run(&[], &stream, limit);
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
        // When all that was made is removed again, nothing is left to pay for.
        if matches!(first.scope(), Scope::Paths(_)) {
            for (path, ino) in world.names.iter().rev() {
                let directory = world.inodes[*ino].directory;
                first.command(&if directory { Command::Rmdir { path } } else { Command::Unlink { path } });
            }
            prop_assert!(matches!(first.scope(), Scope::Paths(paths) if paths.is_empty()));
            let debug = format!("{first:?}");
            prop_assert!(debug.contains("cost: 0,"), "{}", debug);
        }
    }
}
