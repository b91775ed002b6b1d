//! S3 servers that are not ours: the way out and back, and cold storage, on LocalStack and on a Ceph gateway.

use std::env;

use crate::oracle::{assert_same, describe};
use crate::tree::Tree;
use crate::world::{World, names, next_second, proved};

/// A server that the environment names.
struct Server {
    variable: &'static str,
    script: &'static str,
    provider: &'static str,
}

const LOCALSTACK: Server = Server { variable: "SUBVAULT_TEST_S3_LOCALSTACK", script: "localstack.sh", provider: "aws" };
const CEPH: Server = Server { variable: "SUBVAULT_TEST_S3_RGW", script: "ceph-rgw.sh", provider: "ceph-rgw" };

impl Server {
    /// A target there, below a prefix of this test alone; `None` where the environment says that it may be missing.
    fn target(&self, world: &World, s3_lines: &str) -> Option<String> {
        let Ok(endpoint) = env::var(self.variable) else {
            assert!(
                env::var("SUBVAULT_TEST_WITHOUT_S3_SERVERS").is_ok_and(|v| v == "1"),
                "{} is not set: start the server with `eval \"$(ci/s3-servers/{} start DIR)\"`, or say \
                SUBVAULT_TEST_WITHOUT_S3_SERVERS=1 to leave this test out",
                self.variable,
                self.script
            );
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "NOT RUN: {} is not set ({})", self.variable, self.script);
            return None;
        };
        let other = |what: &str| env::var(format!("{}_{what}", self.variable)).unwrap();
        let file = world.credentials(&other("ACCESS_KEY"), &other("SECRET_KEY"));
        // The servers outlive the test.
        let prefix = world.dir.path().file_name().unwrap().to_str().unwrap().to_owned();
        Some(format!(
            "[[target]]\nname = \"cloud\"\n{}\n[target.s3]\nprovider = \"{}\"\nbucket = \"{}\"\n\
            region = \"us-east-1\"\nprefix = \"{prefix}\"\nendpoint = \"{endpoint}\"\npath_style = true\n\
            credentials_file = {file:?}\n{s3_lines}\n",
            world.encrypted("chunk_size = \"5 MiB\"\n"),
            self.provider,
            other("BUCKET"),
        ))
    }

    /// Three snapshots out and back, with what `verify` and `gc` say in between.
    fn round_trip(&self, s3_lines: &str) {
        let world = World::new(768);
        let Some(target) = self.target(&world, s3_lines) else { return };
        world.configure_keeping(10, "", &target);
        let tree = Tree::new(world.home(), 100);
        for round in 0..11 {
            tree.round(round);
            if matches!(round, 0 | 5 | 10) {
                world.archive();
                next_second();
            }
        }
        world.run(&["verify", "--all"]).expect(0);
        world.run(&["gc"]).expect(0);
        let mut entries = 0;
        for name in world.snapshot_names() {
            let at = name.rsplit('.').next().unwrap();
            world.restore_to(&world.back(), &["--read-only", "--at", at]).expect(0);
            let source = world.snapshots().join(&name);
            let described = describe(&source);
            entries += described.entries();
            assert_same((&source, &described), &world.back().join(&name), &name);
        }
        let count = names(&world.back()).len();
        proved(&format!("{count} snapshots by way of {} identical, {entries} entries ({s3_lines:?})", self.script));
    }
}

#[test]
fn localstack_brings_back_what_was_archived() {
    LOCALSTACK.round_trip("storage_class = \"STANDARD_IA\"\nserver_side_encryption = \"aes256\"\n");
}

#[test]
fn a_ceph_gateway_brings_back_what_was_archived() {
    CEPH.round_trip("");
}

#[test]
fn what_lies_in_deep_archive_says_that_it_must_be_thawed() {
    let world = World::new(256);
    let Some(target) = LOCALSTACK.target(&world, "storage_class = \"DEEP_ARCHIVE\"\n") else { return };
    world.configure(&target);
    world.write("file", 7 << 20);
    world.archive();
    next_second();
    world.write("file", 6 << 20);
    // The chain goes on without reading a cold object.
    assert!(world.archive().out.contains("incremental"));
    let ran = world.restore_to(&world.back(), &[]).expect(3).says(&["cold storage", "thaw it first"]);
    assert!(ran.err.contains("chunk-0000"), "{}", ran.err);
    assert!(names(&world.back()).iter().all(|name| name.starts_with(".subvault-restore.")));
    let ran = world.run(&["verify", "--all"]).expect(2).says(&["are in cold storage and were not read"]);
    world.run(&["verify", "--sizes"]).expect(0);
    assert!(!ran.out.contains("nothing wrong was found"), "a check that did not run has not passed: {}", ran.out);
    proved("DEEP_ARCHIVE: archived and continued; restore and verify say that it must be thawed");
}
