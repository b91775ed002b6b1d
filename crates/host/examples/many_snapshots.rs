//! Makes subvolumes `0`, `1`, … in a directory, with so many read-only snapshots each in `.subvault`, for measuring what looks at
//! them: `many_snapshots DIRECTORY SUBVOLUMES SNAPSHOTS`.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use subvault_host::snapshot::take;
use subvault_host::subvolume::Subvolume;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [directory, subvolumes, snapshots] = arguments.as_slice() else {
        return Err("usage: many_snapshots DIRECTORY SUBVOLUMES SNAPSHOTS".into());
    };
    let count = |text: &OsStr| text.to_string_lossy().parse::<u32>();
    let directory = Path::new(directory);
    for number in 0..count(subvolumes)? {
        let subvolume = Subvolume::create(directory, OsStr::new(&number.to_string()))?;
        let place = directory.join(number.to_string()).join(".subvault");
        fs::create_dir(&place)?;
        for taken in 0..count(snapshots)? {
            let name = format!("{number}.{taken:05}");
            take(&subvolume, &place, OsStr::new(&name))?;
        }
    }
    Ok(())
}
