//! Streams of a single path, received by `btrfs receive` and by us.

use std::fs;
use std::path::Path;

use subvault_host::HostError;
use subvault_host::copy::{Below, stream_path};
use subvault_host::snapshot;
use subvault_host::subvolume::Subvolume;

use crate::churn::{Dice, churn};
use crate::oracle::{assert_same, real_receive, receive, settings};
use crate::support::{btrfs, odd, pool};

fn stream(of: &Subvolume, path: &Path) -> Result<Vec<u8>, HostError> {
    let mut bytes = Vec::new();
    stream_path(&Below::of(of)?, path, [7; 16], &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok::<(), HostError>(())
    })?;
    Ok(bytes)
}

#[test]
fn a_path_arrives_as_it_was_and_nothing_else_with_it() {
    let (pool, other) = (pool(), pool());
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    let way = source.path().join("way").join(odd(b"o\xffd d"));
    fs::create_dir_all(&way).unwrap();
    churn(&way, &mut Dice::new(11), 300);
    fs::write(source.path().join("way/beside"), "not asked for").unwrap();
    btrfs(&["subvolume".as_ref(), "create".as_ref(), way.join("nested").as_os_str()]);
    let (taken, _) = snapshot::take(&source, &pool.path(), "taken".as_ref()).unwrap();
    let inside = Path::new("way").join(odd(b"o\xffd d"));
    let bytes = stream(&taken, &inside).unwrap();
    let ours = receive(&bytes, &other.path(), settings(&other.path(), "ours".as_ref())).unwrap();
    real_receive(&bytes, &other.path());
    // The empty directory that stands for a nested subvolume is not sent by the kernel either.
    let expected = other.path().join("expected");
    assert!(
        std::process::Command::new("cp")
            .arg("-a")
            .arg(taken.path().join(&inside))
            .arg(&expected)
            .status()
            .unwrap()
            .success()
    );
    fs::remove_dir(expected.join("nested")).unwrap();
    let touch = std::process::Command::new("touch").arg("-r").arg(taken.path().join(&inside)).arg(&expected).status();
    assert!(touch.unwrap().success());
    for top in [ours.path, other.path().join("path")] {
        assert_same(&expected, &top.join(&inside));
        assert_eq!(fs::read_dir(top.join("way")).unwrap().count(), 1);
    }
}

#[test]
fn what_is_not_there_or_leads_out_is_refused() {
    let pool = pool();
    let source = Subvolume::create(&pool.path(), "source".as_ref()).unwrap();
    std::os::unix::fs::symlink("/etc", source.path().join("link")).unwrap();
    fs::create_dir(source.path().join("dir")).unwrap();
    for path in ["never", "link/passwd", "dir/../../x", "/etc"] {
        assert!(stream(&source, Path::new(path)).is_err(), "{path}");
    }
}
