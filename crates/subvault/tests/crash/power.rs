//! Power cuts: the disk under a directory store is copied at random moments, as it is at that moment and without what
//! the page cache still holds, and the copy is mounted as after a power cut.
//!
//! The disk is a file on Btrfs, where a copy by reflink is atomic.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use subvault_testkit::pool::LoopPool;

use crate::scene::{LARGE, Numbers};
use crate::store::{Seen, objects_in};
use crate::tally::{End, through};
use crate::world::{World, noise, text, tool};

/// How many cuts there are.
const CUTS: usize = 24;

/// A filesystem in a file, mounted until it is dropped.
struct Mounted {
    point: PathBuf,
}

impl Mounted {
    fn new(image: &Path, point: PathBuf) -> Self {
        fs::create_dir_all(&point).unwrap();
        tool(&["mount", "-o", "loop", text(image), text(&point)]);
        Self { point }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.point).status();
    }
}

#[test]
fn after_a_power_cut_what_is_visible_is_whole() {
    let numbers = Numbers::new("power cuts");
    let under = LoopPool::new(4 << 30, &[], &[]).unwrap();
    let image = under.path().join("disk");
    fs::File::create(&image).unwrap().set_len(1 << 30).unwrap();
    tool(&["mkfs.ext4", "-q", text(&image)]);
    let disk = Mounted::new(&image, under.path().join("mounted"));
    let world = World::new(1024);
    let lines = world.encrypted("chunk_size = \"20 MiB\"\nkeep_generations = 1\n");
    let store = disk.point.join("vault");
    fs::create_dir(&store).unwrap();
    world.configure(&format!("[[target]]\nname = \"disk\"\ndirectory = {store:?}\n{lines}\n"));
    let (mut seen, mut manifests) = (Seen::default(), 0);
    for cut in 0..CUTS {
        fs::write(world.home().join("data"), noise(LARGE, cut as u64)).unwrap();
        let mut run = world.start(&["archive", "--full"]);
        thread::sleep(Duration::from_millis(numbers.below(700)));
        let copy = under.path().join("copy");
        tool(&["cp", "--reflink=always", text(&image), text(&copy)]);
        run.kill();
        let after = Mounted::new(&copy, under.path().join("after"));
        let objects = objects_in(&after.point.join("vault"));
        seen.whole(&objects, true);
        manifests += objects.keys().filter(|key| key.ends_with("/manifest.json")).count();
        drop(after);
        fs::remove_file(&copy).unwrap();
        world.archive();
        if cut % 4 == 3 {
            world.run(&["gc"]).expect(0);
        }
    }
    assert!(manifests > 0);
    through(
        &[("archiving", End::Power, CUTS)],
        &format!("{CUTS} power cuts under a directory store on ext4: each of {manifests} visible manifests is whole"),
    );
}
