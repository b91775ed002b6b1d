//! What must not be called where, with the reason and the places that may.

/// A ban.
pub(crate) struct Ban {
    /// What must not stand in code.
    pub(crate) words: &'static [&'static str],
    /// Where not.
    pub(crate) place: Place,
    /// Why not.
    pub(crate) why: &'static str,
    /// Beginnings of paths that may, and why they may.
    pub(crate) except: &'static [(&'static str, &'static str)],
}

/// Where a ban holds.
pub(crate) enum Place {
    /// In tests too.
    Everywhere,
    /// In what is handed to users.
    Product,
    /// In the product part of some rooms.
    ProductOf(&'static [&'static str]),
}

use Place::{Everywhere, Product, ProductOf};

/// What only computes: no effects at all.
const PURE: &[&str] = &["model", "plan", "sendstream"];
/// Whose results are written down or compared.
const REPEATABLE: &[&str] = &["model", "plan", "sendstream", "archive", "store", "jobs"];

const BINARY: (&str, &str) = ("crates/subvault/src/", "the binary is where the program meets its user");
const CRASH: (&str, &str) =
    ("crates/model/src/crash.rs", "only with the feature of the crash harness, never handed to users");

pub(crate) const BANS: &[Ban] = &[
    Ban {
        words: &["unsafe"],
        place: Everywhere,
        why: "memory safety is argued in one folder, small enough to be read in one go",
        except: &[("crates/host/src/ioctl/", "ioctls take pointers")],
    },
    Ban {
        words: &["rustix::ioctl", "rustix::mount", "rustix::runtime"],
        place: Product,
        why: "nobody but host issues ioctls or mounts: what touches the machine is in one room",
        except: &[
            ("crates/host/src/ioctl/", "here they are wrapped"),
            ("crates/host/src/top_level.rs", "here the top level of a pool is mounted, seen by this process only"),
            ("crates/host/src/attach.rs", "disks that are mounted for the time of a run"),
        ],
    },
    Ban {
        words: &["Command::new", "process::Command"],
        place: Product,
        why: "programs are started in one place, that gives them a time limit, no shell and no standard input",
        except: &[
            ("crates/host/src/process.rs", "this is the place"),
            (
                "crates/host/src/foreground.rs",
                "a command of the user, with the user's terminal, for as long as it takes",
            ),
        ],
    },
    Ban {
        words: &["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"],
        place: Product,
        why: "a clock that is read deep inside makes two runs differ for invisible reasons; take the moment as a value",
        except: &[
            ("crates/host/src/clock.rs", "this is the clock"),
            ("crates/archive/src/write/pace.rs", "it only waits: nothing that is stored or decided depends on it"),
        ],
    },
    Ban {
        words: &["TimeZone::system"],
        place: Product,
        why: "where the machine stands changes what people see and never what is stored or decided",
        except: &[BINARY],
    },
    Ban {
        words: &["to_string_lossy", "from_utf8_lossy"],
        place: Product,
        why: "names are bytes: what is lossy may be shown and never used",
        except: &[
            ("crates/host/src/identity.rs", "the kernel's release, for people"),
            ("crates/host/src/receive/error.rs", "a name in an error text"),
        ],
    },
    Ban {
        words: &["println!", "print!", "eprintln!", "eprint!", "io::stdout", "io::stderr"],
        place: Product,
        why: "library rooms tell a Monitor and never print, so that a server and a test can listen as well",
        except: &[BINARY],
    },
    Ban {
        words: &["todo!", "unimplemented!", "dbg!"],
        place: Everywhere,
        why: "what is not finished is not in the tree",
        except: &[],
    },
    Ban {
        words: &["panic!", "unreachable!"],
        place: Product,
        why: "bad input is an error and a broken promise is an error of its own kind; neither ends the program",
        except: &[],
    },
    Ban {
        words: &["#[ignore"],
        place: Everywhere,
        why: "a check that did not run is not a check that passed",
        except: &[],
    },
    Ban {
        words: &["#[allow", "#![allow"],
        place: Everywhere,
        why: "`expect` with a reason goes when its reason is gone",
        except: &[],
    },
    Ban {
        words: &[
            "env::var",
            "env::var_os",
            "env::vars",
            "env::args",
            "env::args_os",
            "env::current_dir",
            "env::temp_dir",
        ],
        place: Product,
        why: "everything that a result depends on is in its arguments or in the configuration",
        except: &[BINARY, CRASH],
    },
    Ban {
        words: &["process::exit", "process::abort"],
        place: Product,
        why: "destructors let go of locks, uploads and threads; the exit code is what `main` returns",
        except: &[CRASH],
    },
    Ban {
        words: &["std::fs", "std::net", "std::thread", "std::process", "std::io::stdin", "File::open", "File::create"],
        place: ProductOf(PURE),
        why: "this room only computes: no files, no network, no threads",
        except: &[CRASH],
    },
    Ban {
        words: &["HashMap", "HashSet", "RandomState"],
        place: ProductOf(REPEATABLE),
        why: "their order is another one in each run and leaks into plans, documents and messages; use a BTreeMap",
        except: &[],
    },
    Ban {
        words: &["getrandom", "rand::fill", "SystemRandom", "OsRng", "thread_rng", "rand::rng"],
        place: Product,
        why: "a random number is what a rerun cannot repeat; each must be journaled or be a name only",
        except: &[
            (
                "crates/archive/src/age_file/seal.rs",
                "the secret of a stream, and the number in its name; both are journaled",
            ),
            ("crates/store/src/mark.rs", "how the object of an upload is recognised; it is in the upload's id"),
        ],
    },
];

/// Words that must be in no file at all, in two halves so that this one does not hold them.
pub(crate) const RAW: &[([&str; 2], &str)] = &[
    (["TO", "DO"], "what is not finished is in docs/roadmap.md, where somebody looks"),
    (["FIX", "ME"], "what is broken is mended, or told to the user, or in docs/roadmap.md"),
    (["XX", "X"], "a mark that only its author understands"),
];
