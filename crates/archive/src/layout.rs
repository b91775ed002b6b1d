//! Where things lie in a store: the one place that makes and reads keys.
//!
//! ```text
//! <host>/host.json                           who archives here
//! <host>/<subvolume>/current.json            the pointer
//! <host>/<subvolume>/<stream>/manifest.json  a stream that is all there
//! <host>/<subvolume>/<stream>/chunk-00000.zst.age
//! <host>/probe/<number>                      while it is tried what a store honours
//! ```

use subvault_model::names::{HostName, StreamName, SubvolumeName};
use subvault_store::Key;

use crate::manifest::{Compression, Encryption};

/// The folder of scratch objects. A subvolume of that name has its streams a level deeper.
const SCRATCH: &str = "probe";

/// The keys of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    host: HostName,
}

/// What an object is, read off its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Who archives under this host's name.
    Host,
    /// A subvolume's pointer.
    Pointer(SubvolumeName),
    /// A stream's manifest.
    Manifest(SubvolumeName, StreamName),
    /// Anything else in a stream's folder: a chunk.
    Chunk(SubvolumeName, StreamName),
    /// Made while it is tried what the store honours, and left behind only by a run that died.
    Scratch,
    /// Not ours.
    Foreign,
}

impl Layout {
    /// The keys of `host`.
    #[must_use]
    pub fn new(host: HostName) -> Self {
        Self { host }
    }

    /// Whose keys these are.
    #[must_use]
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// What all keys of the host begin with.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{}/", self.host)
    }

    /// What all keys of a subvolume begin with.
    #[must_use]
    pub fn subvolume_prefix(&self, subvolume: &SubvolumeName) -> String {
        format!("{}/{subvolume}/", self.host)
    }

    /// The key of the host's own record.
    #[must_use]
    pub fn host_record(&self) -> Key {
        key(format!("{}/host.json", self.host))
    }

    /// The key of a subvolume's pointer.
    #[must_use]
    pub fn pointer(&self, subvolume: &SubvolumeName) -> Key {
        key(format!("{}/{subvolume}/current.json", self.host))
    }

    /// The key of a stream's manifest.
    #[must_use]
    pub fn manifest(&self, subvolume: &SubvolumeName, stream: &StreamName) -> Key {
        key(format!("{}/{subvolume}/{stream}/manifest.json", self.host))
    }

    /// The key of a chunk, whose file name extension tells how it is packed.
    #[must_use]
    pub fn chunk(&self, subvolume: &SubvolumeName, stream: &StreamName, file_name: &str) -> Key {
        key(format!("{}/{subvolume}/{stream}/{file_name}", self.host))
    }

    /// Below which key it is tried what the store honours.
    #[must_use]
    pub fn scratch(&self) -> Key {
        key(format!("{}/{SCRATCH}", self.host))
    }

    /// What an object of this host is.
    #[must_use]
    pub fn place(&self, key: &Key) -> Place {
        let Some(rest) = key.as_str().strip_prefix(&self.prefix()) else { return Place::Foreign };
        let parts: Vec<&str> = rest.split('/').collect();
        match *parts.as_slice() {
            ["host.json"] => Place::Host,
            [subvolume, "current.json"] => subvolume.parse().map_or(Place::Foreign, Place::Pointer),
            [SCRATCH, object] if is_scratch(object) => Place::Scratch,
            [subvolume, stream, object] => match (subvolume.parse(), stream.parse()) {
                (Ok(subvolume), Ok(stream)) if object == "manifest.json" => Place::Manifest(subvolume, stream),
                (Ok(subvolume), Ok(stream)) if object.starts_with("chunk-") => Place::Chunk(subvolume, stream),
                _ => Place::Foreign,
            },
            _ => Place::Foreign,
        }
    }
}

/// Whether a name is one that a store gives to what it tries out: a number of 128 bits, and perhaps what it is for.
fn is_scratch(object: &str) -> bool {
    let number = object.split('-').next().unwrap_or_default();
    number.len() == 32 && number.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The file name of a chunk: `chunk-00000` and an extension for each layer around the stream.
#[must_use]
pub fn chunk_file_name(index: u32, compression: &Compression, encryption: &Encryption) -> String {
    let compressed = if matches!(compression, Compression::Zstd { .. }) { ".zst" } else { "" };
    let encrypted = if matches!(encryption, Encryption::Age { .. }) { ".age" } else { "" };
    format!("chunk-{index:05}{compressed}{encrypted}")
}

/// Keys are made of names whose types allow only what a key allows.
#[expect(clippy::expect_used, reason = "host, subvolume and stream names are valid key components by their types")]
fn key(text: String) -> Key {
    Key::new(text).expect("names are valid key components")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_tells_its_place() {
        let layout = Layout::new("laptop".parse().unwrap());
        let home: SubvolumeName = "home".parse().unwrap();
        let stream: StreamName = "20261120T221500Z-full-1a2b3c4d".parse().unwrap();
        assert_eq!(layout.place(&layout.host_record()), Place::Host);
        assert_eq!(layout.place(&layout.pointer(&home)), Place::Pointer(home.clone()));
        assert_eq!(layout.place(&layout.manifest(&home, &stream)), Place::Manifest(home.clone(), stream.clone()));
        let chunk = layout.chunk(&home, &stream, "chunk-00000.zst.age");
        assert_eq!(layout.place(&chunk), Place::Chunk(home, stream));
        let scratch = layout.scratch().join("00112233445566778899aabbccddeeff-condition").unwrap();
        assert_eq!(layout.place(&scratch), Place::Scratch);
        let probe: SubvolumeName = "probe".parse().unwrap();
        assert_eq!(layout.place(&layout.pointer(&probe)), Place::Pointer(probe));
        for foreign in [
            "other/host.json",
            "laptop/a/b/c/d",
            "laptop/home/readme",
            "laptop/probe/readme",
            "laptop/home/x/chunk-00000",
        ] {
            assert_eq!(layout.place(&foreign.parse().unwrap()), Place::Foreign, "{foreign}");
        }
    }
}
