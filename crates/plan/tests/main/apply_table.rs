//! What is done to make a host as it is wanted, and that it is done once.

use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use subvault_model::file_path::FilePath;
use subvault_plan::apply::{
    ApplyStep, Attributes, FileThere, Observed, There, Wanted, WantedFile, WantedSubvolume, plan,
};

fn subvolume(is_nocow: bool, compression: Option<&'static str>) -> WantedSubvolume {
    WantedSubvolume { path: FilePath::new("var/lib/x"), is_nocow, compression, because: "why".to_owned() }
}

fn one(wanted: WantedSubvolume, there: There) -> (Vec<String>, usize) {
    let wanted = Wanted { subvolumes: vec![wanted], ..Wanted::default() };
    let found = plan(&wanted, &Observed { subvolumes: vec![there], ..Observed::default() });
    (found.steps.iter().map(ToString::to_string).collect(), found.left.len())
}

#[test]
fn subvolumes_are_made_where_nothing_is() {
    let empty = Attributes { is_empty: true, is_nocow: false, is_compressed_so: false };
    let full = Attributes { is_empty: false, ..empty };
    let make = "make the subvolume /var/lib/x: why";
    let nocow = "have /var/lib/x overwritten in place (chattr +C): why";
    let compress = "have /var/lib/x compressed with none: why";
    for (wanted, there, steps, left) in [
        (subvolume(true, None), There::Nothing, vec![make, nocow], 0),
        (subvolume(false, Some("none")), There::Nothing, vec![make, compress], 0),
        (subvolume(true, None), There::NoPlace, vec![], 1),
        (subvolume(true, None), There::Other, vec![], 1),
        (subvolume(true, None), There::Subvolume(empty), vec![nocow], 0),
        // Files that are there stay as they are: that is told, and nothing is moved.
        (subvolume(true, None), There::Subvolume(full), vec![], 1),
        (subvolume(true, None), There::Subvolume(Attributes { is_nocow: true, ..full }), vec![], 0),
        (subvolume(false, Some("none")), There::Subvolume(full), vec![compress], 0),
    ] {
        let expected: Vec<String> = steps.into_iter().map(str::to_owned).collect();
        assert_eq!(one(wanted.clone(), there), (expected, left), "{wanted:?} {there:?}");
    }
}

/// What the steps would make of what is there.
fn done(steps: &[ApplyStep], wanted: &Wanted, observed: &Observed) -> Observed {
    let mut after = observed.clone();
    for step in steps {
        let at = |path: &FilePath| wanted.subvolumes.iter().position(|subvolume| subvolume.path == *path).unwrap();
        let change = |there: &mut There, change: &dyn Fn(&mut Attributes)| {
            if let There::Subvolume(attributes) = there {
                change(attributes);
            }
        };
        match step {
            ApplyStep::CreateSubvolume { path, .. } => {
                assert_eq!(after.subvolumes[at(path)], There::Nothing);
                after.subvolumes[at(path)] =
                    There::Subvolume(Attributes { is_empty: true, is_nocow: false, is_compressed_so: false });
            }
            ApplyStep::SetNoCow { path, .. } => change(&mut after.subvolumes[at(path)], &|a| {
                assert!(a.is_empty, "files that are there would not follow");
                a.is_nocow = true;
            }),
            ApplyStep::SetCompression { path, .. } => {
                change(&mut after.subvolumes[at(path)], &|a| a.is_compressed_so = true);
            }
            ApplyStep::WriteFile { path, .. } => {
                let index = wanted.files.iter().position(|file| file.path == *path).unwrap();
                assert_ne!(after.files[index], FileThere::Theirs, "somebody else's file");
                after.files[index] = FileThere::Same;
            }
            ApplyStep::Reload => {}
            ApplyStep::EnableUnit { unit } => {
                after.units[wanted.units.iter().position(|u| u == unit).unwrap()] = true;
            }
        }
    }
    after
}

fn there() -> impl Strategy<Value = There> {
    let subvolume = any::<[bool; 3]>().prop_map(|[is_empty, is_nocow, is_compressed_so]| {
        There::Subvolume(Attributes { is_empty, is_nocow, is_compressed_so })
    });
    prop_oneof![Just(There::Nothing), Just(There::NoPlace), Just(There::Other), subvolume]
}

proptest! {
    #[test]
    fn the_second_time_there_is_nothing_to_do(
        subvolumes in vec((any::<bool>(), select(vec![None, Some("none"), Some("zstd")]), there()), 0..5),
        files in vec(select(vec![FileThere::Nothing, FileThere::Same, FileThere::Ours, FileThere::Theirs]), 0..5),
        units in vec(any::<bool>(), 0..3),
    ) {
        let wanted = Wanted {
            subvolumes: subvolumes.iter().enumerate().map(|(n, (is_nocow, compression, _))| WantedSubvolume {
                path: FilePath::new(format!("s{n}")),
                ..subvolume(*is_nocow, *compression)
            }).collect(),
            files: (0..files.len())
                .map(|n| WantedFile { path: PathBuf::from(format!("etc/{n}")), text: String::new() })
                .collect(),
            units: (0..units.len()).map(|n| format!("{n}.timer")).collect(),
        };
        let observed = Observed { subvolumes: subvolumes.iter().map(|(_, _, there)| *there).collect(), files, units };
        let first = plan(&wanted, &observed);
        let second = plan(&wanted, &done(&first.steps, &wanted, &observed));
        prop_assert_eq!(second.steps, Vec::new());
        prop_assert_eq!(second.left, first.left);
    }
}
