//! What `btrfs receive --dump` prints for a stream, made from our commands.

use std::fmt::Write;

use subvault_sendstream::command::{Command, Compression};

/// Collects the text, command by command.
#[derive(Default)]
pub(crate) struct Dump {
    pub(crate) text: Vec<u8>,
    subvolume: Vec<u8>,
}

impl Dump {
    pub(crate) fn command(&mut self, command: &Command<'_>) {
        let Some(path) = command.path() else { return };
        if let Command::Subvol { path, .. } | Command::Snapshot { path, .. } = *command {
            self.subvolume = [b"./", path].concat();
        }
        let full = match command {
            Command::Subvol { .. } | Command::Snapshot { .. } => escaped(&self.subvolume),
            _ => escaped(&self.inside(path)),
        };
        let details = self.details(command);
        self.text.extend(format!("{:<16}{full}", command.name()).bytes());
        if !details.is_empty() {
            let gap = 32usize.saturating_sub(full.len()).max(1);
            self.text.extend([b' '].repeat(gap));
            self.text.extend(details);
        }
        self.text.push(b'\n');
    }

    fn inside(&self, path: &[u8]) -> Vec<u8> {
        [&self.subvolume, &b"/"[..], path].concat()
    }

    fn details(&self, command: &Command<'_>) -> Vec<u8> {
        let text = match *command {
            Command::SetXattr { name, data, .. } => return xattr(name, data),
            Command::RemoveXattr { name, .. } => return [b"name=", name].concat(),
            Command::Subvol { uuid, ctransid, .. } => format!("uuid={} transid={ctransid}", hyphenated(uuid)),
            Command::Snapshot { uuid, ctransid, clone_uuid, clone_ctransid, .. } => format!(
                "uuid={} transid={ctransid} parent_uuid={} parent_transid={clone_ctransid}",
                hyphenated(uuid),
                hyphenated(clone_uuid)
            ),
            Command::Mknod { mode, rdev, .. } => format!("mode={mode:o} dev=0x{rdev:x}"),
            Command::Symlink { target, .. } => format!("dest={}", escaped(target)),
            Command::Rename { to, .. } => format!("dest={}", escaped(&self.inside(to))),
            Command::Link { existing, .. } => format!("dest={}", escaped(existing)),
            Command::Write { offset, data, .. } => format!("offset={offset} len={}", data.len()),
            Command::Clone { offset, len, clone_path, clone_offset, .. } => {
                let from = escaped(&self.inside(clone_path));
                format!("offset={offset} len={len} from={from} clone_offset={clone_offset}")
            }
            Command::Truncate { size, .. } => format!("size={size}"),
            Command::Chmod { mode, .. } => format!("mode={mode:o}"),
            Command::Chown { uid, gid, .. } => format!("gid={gid} uid={uid}"),
            Command::Utimes { atime, mtime, ctime, .. } => {
                let [atime, mtime, ctime] = [atime, mtime, ctime].map(|time| date(time.seconds));
                format!("atime={atime} mtime={mtime} ctime={ctime}")
            }
            Command::UpdateExtent { offset, len, .. } => format!("offset={offset} len={len}"),
            Command::Fallocate { mode, offset, len, .. } => format!("mode={mode} offset={offset} len={len}"),
            Command::Fileattr { attr, .. } => format!("fileattr=0x{attr:x}"),
            Command::EncodedWrite { .. } => encoded(command),
            _ => String::new(),
        };
        text.into_bytes()
    }
}

fn encoded(command: &Command<'_>) -> String {
    let Command::EncodedWrite {
        offset, unencoded_file_len, unencoded_len, unencoded_offset, compression, data, ..
    } = *command
    else {
        panic!("{command:?}");
    };
    let compression = match compression {
        Compression::None => 0,
        Compression::Zlib => 1,
        Compression::Zstd => 2,
        Compression::Lzo { sector_kib } => sector_kib.ilog2() + 1,
    };
    format!(
        "offset={offset} len={}, unencoded_file_len={unencoded_file_len}, unencoded_len={unencoded_len}, \
         unencoded_offset={unencoded_offset}, compression={compression}, encryption=0",
        data.len()
    )
}

/// Printed raw, as far as a C string goes.
fn xattr(name: &[u8], data: &[u8]) -> Vec<u8> {
    let printed = data.split(|&byte| byte == 0).next().unwrap_or_default();
    [b"name=", name, b" data=", printed, format!(" len={}", data.len()).as_bytes()].concat()
}

fn escaped(path: &[u8]) -> String {
    path.iter().fold(String::new(), |mut text, &byte| {
        match byte {
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            0x1b => text.push_str("\\e"),
            0x0c => text.push_str("\\f"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x0b => text.push_str("\\v"),
            b' ' | b'\\' => text.extend(['\\', char::from(byte)]),
            0x21..=0x7e => text.push(char::from(byte)),
            _ => write!(text, "\\{byte:03o}").unwrap(),
        }
        text
    })
}

fn hyphenated(uuid: [u8; 16]) -> String {
    let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The date in the Gregorian calendar, by counting years and months.
fn date(seconds: i64) -> String {
    let (mut days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days_of = |year| if leap(year) { 366 } else { 365 };
    let mut year = 1970;
    while days < 0 {
        year -= 1;
        days += days_of(year);
    }
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let mut month = 0;
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}+0000", month + 1, days + 1)
}
