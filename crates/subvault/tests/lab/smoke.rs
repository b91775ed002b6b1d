//! Archive and restore on another kernel than this machine's.

use crate::oracle::{assert_same, describe};
use crate::pool::{DISKS, boot, is_sound, machine, on_disk, snapshots};
use crate::tree::Tree;
use crate::world::{names, proved, tool};

/// How many small files there are.
const BULK: usize = 600;
/// How often it is archived, with rounds of changes before each.
const ARCHIVED: usize = 3;
const RESTORE_EACH: &str = "for snapshot in /pool/snapshots/*/; do
    moment=$(basename \"${snapshot#*/home.}\")
    /host/subvault restore home --from disk --to /pool/back --at \"$moment\" --read-only -i /host/key.txt
done
/host/subvault verify --all
umount /pool /store";

#[test]
fn another_kernel_archives_and_restores_the_same() {
    let mut machine = machine(5, "chunk_size = \"20 MiB\"\n");
    let pool = machine.shared(DISKS[0]);
    let mut release = String::new();
    for time in 0..ARCHIVED {
        on_disk(&pool, |disk| {
            let tree = Tree::new(disk.join("home"), BULK);
            (4 * time..(4 * time + 4).min(crate::tree::ROUNDS)).for_each(|round| tree.round(round));
        });
        boot(&mut machine);
        release = machine.must("/host/subvault archive >&2; uname -r");
        if time + 1 == ARCHIVED {
            machine.must(RESTORE_EACH);
        } else {
            machine.must("umount /pool /store");
        }
        machine.off();
    }
    is_sound(&pool);
    let entries = on_disk(&pool, |disk| {
        let taken = snapshots(disk);
        assert_eq!(taken.len(), ARCHIVED, "{taken:?}");
        assert_eq!(taken, names(&disk.join("back")), "each moment, and nothing else");
        let same = |name: &String| {
            let source = disk.join("snapshots").join(name);
            let described = describe(&source);
            assert_same((&source, &described), &disk.join("back").join(name), "restored by the machine");
            described.entries()
        };
        taken.iter().map(same).max().unwrap()
    });
    proved(&format!(
        "kernel {} in the laboratory archives and restores {ARCHIVED} moments of up to {entries} entries; this kernel, {}, \
        finds them identical",
        release.trim(),
        tool(&["uname", "-r"]).trim()
    ));
}
