//! What becomes of each setting of btrbk.

use crate::import::Fate::{self, Carried, Needless, NotCarried, Unknown};

/// What becomes of a setting with this value, and as what or why not.
pub(super) fn fate(key: &str, value: &str) -> (Fate, &'static str) {
    sections(key)
        .or_else(|| snapshots(key, value))
        .or_else(|| retention(key, value))
        .or_else(|| streams(key, value))
        .or_else(|| connections(key, value))
        .or_else(|| raw_targets(key, value))
        .or_else(|| work(key, value))
        .unwrap_or_else(|| outdated(key))
}

fn sections(key: &str) -> Option<(Fate, &'static str)> {
    Some(match key {
        "volume" => (Carried, "as the beginning of the paths"),
        "subvolume" => (Carried, "as [[subvolume]]"),
        "target" => (Carried, "as [[target]]"),
        _ => return None,
    })
}

fn snapshots(key: &str, value: &str) -> Option<(Fate, &'static str)> {
    Some(match (key, value) {
        ("timestamp_format", _) => (Needless, "names of snapshots hold the moment in UTC, to the second"),
        ("snapshot_dir", _) => (
            NotCarried,
            "subvault's snapshots go to `.subvault` in the subvolume: beside its own, btrbk would take them for its own and \
            delete them",
        ),
        ("snapshot_name", _) => (Carried, "as `name`"),
        ("snapshot_create", "always") => (Carried, "as `snapshot`"),
        ("snapshot_create", "no") => {
            (Carried, "as `snapshot` and `foreign`: none is taken, and those that are there are sent")
        }
        ("snapshot_create", "onchange") => {
            (NotCarried, "one is taken also when nothing has changed, which costs next to nothing")
        }
        ("snapshot_create", _) => (NotCarried, "snapshots are taken whether a target is there or not"),
        ("noauto", "no") | ("group", "no") => (Needless, "it says nothing"),
        ("noauto", _) => (NotCarried, "left out: here everything that is configured is looked after"),
        ("group", _) => {
            (NotCarried, "verbs take the names of subvolumes; a group here is what is snapshotted together")
        }
        _ => return None,
    })
}

fn retention(key: &str, value: &str) -> Option<(Fate, &'static str)> {
    Some(match (key, value) {
        ("preserve_day_of_week", "monday") => (Carried, "weeks begin on Monday"),
        ("preserve_day_of_week", _) => (NotCarried, "weeks begin on Monday, as in ISO 8601"),
        ("preserve_hour_of_day", "0") => (Carried, "days begin at midnight"),
        ("preserve_hour_of_day", _) => (NotCarried, "days begin at midnight"),
        ("snapshot_preserve" | "snapshot_preserve_min", _) => (Carried, "as `keep` of the subvolume"),
        ("target_preserve" | "target_preserve_min", _) => (Carried, "as `keep` of the target"),
        ("archive_preserve" | "archive_preserve_min" | "archive_exclude" | "archive_exclude_older", _) => {
            (NotCarried, "there is nothing like `btrbk archive`; make the second disk a target of its own")
        }
        _ => return None,
    })
}

fn streams(key: &str, value: &str) -> Option<(Fate, &'static str)> {
    Some(match (key, value) {
        ("incremental", "yes") => (Needless, "it is always so where there is a common parent"),
        ("incremental", "strict") => (NotCarried, "where there is no common parent, a full is sent"),
        ("incremental", _) => (NotCarried, "what a target has is built upon where that is possible"),
        ("incremental_prefs" | "incremental_clones" | "incremental_resolve", _) => {
            (Needless, "parents are chosen by uuid, among all that both sides have")
        }
        ("stream_buffer" | "stream_buffer_remote", _) => (Needless, "streams are buffered"),
        ("rate_limit", "no") | ("rate_limit_remote", "no") | ("stream_compress", "no") => (Needless, "it was off"),
        ("rate_limit", _) => (Carried, "as `bandwidth`"),
        ("rate_limit_remote", _) => (NotCarried, "`bandwidth` limits on this side"),
        ("stream_compress", _) => (NotCarried, "what goes over SSH is compressed if ssh_config says `Compression yes`"),
        ("stream_compress_level" | "stream_compress_long" | "stream_compress_threads" | "stream_compress_adapt", _) => {
            (Needless, "it is about stream_compress")
        }
        _ => return None,
    })
}

fn connections(key: &str, value: &str) -> Option<(Fate, &'static str)> {
    Some(match (key, value) {
        ("ssh_identity" | "ssh_user", "no") => (Needless, "ssh's own default is used"),
        ("ssh_identity", _) => (Carried, "as `identity_file` of [target.btrfs.ssh]"),
        ("ssh_user", _) => (Carried, "as the part before the @ of `host`"),
        ("ssh_compression", "yes") => (NotCarried, "say `Compression yes` for the host in root's ssh_config"),
        ("ssh_compression", _) => (Needless, "it was off"),
        ("ssh_cipher_spec", "default") => (Needless, "ssh's own default is used"),
        ("ssh_cipher_spec", _) => (NotCarried, "say `Ciphers` for the host in root's ssh_config"),
        _ => return None,
    })
}

fn raw_targets(key: &str, value: &str) -> Option<(Fate, &'static str)> {
    Some(match (key, value) {
        ("raw_target_compress", "no" | "zstd") => (Carried, "as `compression`"),
        ("raw_target_compress", _) => (NotCarried, "archives are compressed with zstd"),
        ("raw_target_compress_level", _) => (Carried, "as the level of `compression`, if that is zstd"),
        ("raw_target_compress_long" | "raw_target_compress_threads" | "raw_target_block_size", _) => {
            (Needless, "archives are cut and compressed by subvault itself")
        }
        ("raw_target_split", "no") => (Needless, "objects are as large as `chunk_size` allows"),
        ("raw_target_split", _) => (Carried, "as `chunk_size`, from 5 MiB to 5 TiB"),
        ("raw_target_encrypt", "no") => (Carried, "as `encryption = \"off\"`"),
        ("raw_target_encrypt", _) => (NotCarried, "archives are encrypted with age: `recipients` must be keys of age"),
        (
            "gpg_keyring" | "gpg_recipient" | "openssl_ciphername" | "openssl_iv_size" | "openssl_keyfile"
            | "kdf_backend" | "kdf_keysize" | "kdf_keygen",
            _,
        ) => (NotCarried, "archives are encrypted with age"),
        _ => return None,
    })
}

fn work(key: &str, value: &str) -> Option<(Fate, &'static str)> {
    Some(match (key, value) {
        ("transaction_log" | "transaction_syslog", _) => {
            (Needless, "what is changed is in the audit log and the journal")
        }
        ("lockfile", _) => (Needless, "runs keep each other out by themselves"),
        ("backend" | "backend_local" | "backend_remote" | "backend_local_user", _) => {
            (Needless, "subvault needs no other program for Btrfs, and runs as root")
        }
        ("compat" | "compat_local" | "compat_remote", words) if words.contains("ignore_receive_errors") => {
            (NotCarried, "an error while receiving is never passed over")
        }
        ("compat" | "compat_local" | "compat_remote" | "safe_commands", _) => {
            (Needless, "no other programs are used on the other side either")
        }
        ("btrfs_commit_delete", _) => (Needless, "what is deleted is deleted by the kernel in its own time"),
        ("snapshot_qgroup_destroy" | "target_qgroup_destroy" | "archive_qgroup_destroy", "yes") => {
            (NotCarried, "quotas are not used, and not cleaned up")
        }
        ("snapshot_qgroup_destroy" | "target_qgroup_destroy" | "archive_qgroup_destroy", _) => (Needless, "it was off"),
        ("cache_dir" | "ignore_extent_data_inline", _) => (Needless, "it is about `btrbk extents`"),
        ("warn_unknown_targets", _) => (Needless, "copies are known by uuid, wherever they are"),
        _ => return None,
    })
}

fn outdated(key: &str) -> (Fate, &'static str) {
    match key {
        "ssh_port" => (NotCarried, "btrbk itself has given it up: write ssh://HOST:PORT/PATH"),
        "snapshot_preserve_daily"
        | "snapshot_preserve_weekly"
        | "snapshot_preserve_monthly"
        | "target_preserve_daily"
        | "target_preserve_weekly"
        | "target_preserve_monthly"
        | "btrfs_progs_compat"
        | "resume_missing"
        | "snapshot_create_always"
        | "receive_log" => (NotCarried, "btrbk itself has given it up"),
        _ => (Unknown, "no such setting is known of btrbk up to 0.32"),
    }
}
