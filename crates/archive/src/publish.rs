//! Publishing: the manifest makes a stream visible, the pointer says that it is the newest.

use subvault_model::crash;
use subvault_store::{Create, ObjectKind, ObjectStore, StoreErrorKind};

use crate::document::{self, Encoded};
use crate::error::ArchiveError;
use crate::hash::Hash256;
use crate::layout::Layout;
use crate::manifest::{FORMAT, HostIdentity, Manifest};
use crate::pointer::Pointer;

/// Makes a stream visible. All its chunks must be stored.
///
/// # Errors
/// When the store fails, or another manifest is there already.
pub fn publish(store: &ObjectStore, layout: &Layout, manifest: &Manifest) -> Result<Hash256, ArchiveError> {
    let encoded = document::encode(manifest)?;
    let key = layout.manifest(&manifest.subvolume, &manifest.stream);
    match store.put(&key, encoded.body.clone(), &Create::IfAbsent, ObjectKind::Metadata) {
        // The answer to a put may be lost and the put repeated: then our own manifest is there.
        Err(e) if e.kind() == StoreErrorKind::AlreadyExists => {
            if store.get(&key, encoded.body.len())? != encoded.body {
                return Err(e.into());
            }
        }
        other => drop(other?),
    }
    crash::point("manifest-published");
    point_at(store, layout, manifest, encoded.sha256)?;
    Ok(encoded.sha256)
}

/// Makes the pointer of a subvolume name this stream.
///
/// # Errors
/// When the store fails.
pub fn point_at(
    store: &ObjectStore,
    layout: &Layout,
    manifest: &Manifest,
    manifest_sha256: Hash256,
) -> Result<(), ArchiveError> {
    let pointer = Pointer {
        format: FORMAT,
        stream: manifest.stream.clone(),
        generation: manifest.generation,
        sequence: manifest.sequence,
        taken: manifest.snapshot.taken,
        manifest_sha256,
    };
    let Encoded { body, .. } = document::encode(&pointer)?;
    // One host writes here at a time, under its lock; the manifests are the truth, and the next run repairs this.
    store.put(&layout.pointer(&manifest.subvolume), body, &Create::Overwrite, ObjectKind::Metadata)?;
    crash::point("pointer-published");
    Ok(())
}

/// Claims the host's name in a store for this machine, or finds that it was claimed by it before.
///
/// # Errors
/// `OtherHost` when another machine has the name; or when the store fails.
pub fn claim_host(store: &ObjectStore, layout: &Layout, identity: &HostIdentity) -> Result<(), ArchiveError> {
    if is_claimed(store, layout, identity)? {
        return Ok(());
    }
    let body = document::encode(identity)?.body;
    match store.put(&layout.host_record(), body, &Create::IfAbsent, ObjectKind::Metadata) {
        Err(e) if e.kind() == StoreErrorKind::AlreadyExists => is_claimed(store, layout, identity).map(drop),
        other => other.map(drop).map_err(Into::into),
    }
}

/// Whether the host's name is claimed by this machine; `false` when by none.
///
/// # Errors
/// As `claim_host`.
pub fn is_claimed(store: &ObjectStore, layout: &Layout, identity: &HostIdentity) -> Result<bool, ArchiveError> {
    match document::read::<HostIdentity>(store, &layout.host_record()) {
        Ok((found, _)) if found == *identity => Ok(true),
        Ok(_) => Err(ArchiveError::OtherHost(identity.name.clone())),
        Err(ArchiveError::Store(e)) if e.kind() == StoreErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}
